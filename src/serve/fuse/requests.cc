#include "requests.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <intact/base/checked.h>
#include <intact/base/error.h>

#include "connection.h"

namespace intact::serve {

namespace {

using tree::Attributes;
using tree::NodeId;

constexpr std::uint32_t kBlockSize = 4096;
// Positions in a directory: 0 is before ".", 1 before "..", and from 2 on the tree's cookies.
constexpr off_t kAfterDot = 1;
constexpr off_t kAfterDotDot = 2;

Service& service_of(fuse_req_t request) {
  return *static_cast<Service*>(fuse_req_userdata(request));
}

struct stat stat_of(const Attributes& attributes, fuse_ino_t inode) {
  struct stat status{};
  status.st_ino = inode;
  status.st_mode = attributes.mode;
  status.st_nlink = attributes.nlink;
  status.st_uid = attributes.uid;
  status.st_gid = attributes.gid;
  status.st_rdev = attributes.rdev;
  status.st_size = static_cast<off_t>(attributes.size);
  status.st_blksize = kBlockSize;
  status.st_blocks = static_cast<blkcnt_t>(divide_up<std::uint64_t>(attributes.size, 512));
  status.st_mtim.tv_sec = attributes.mtime.seconds;
  status.st_mtim.tv_nsec = attributes.mtime.nanoseconds;
  status.st_atim = status.st_ctim = status.st_mtim;
  return status;
}

fuse_entry_param entry_of(const Service& service, NodeId node, const Attributes& attributes) {
  fuse_entry_param entry{};
  entry.ino = service.numbers.inode(node);
  entry.attr = stat_of(attributes, entry.ino);
  entry.attr_timeout = kUnchanging;
  entry.entry_timeout = kUnchanging;
  return entry;
}

void note(Service& service, std::string_view what, fuse_ino_t inode, const Error& error) {
  log_failure(service.log, fmt::format("{} of inode {}: {}", what, inode, error.message()));
}

void fail(fuse_req_t request, std::string_view what, fuse_ino_t inode, const Error& error) {
  const int code = errno_of_metadata(error);
  if (code == EIO) note(service_of(request), what, inode, error);
  fuse_reply_err(request, code);
}

// --- The connection -------------------------------------------------------------------------

void init(void* data, fuse_conn_info* connection) noexcept {
  Service& service = *static_cast<Service*>(data);
  set_up_for_verified_reads(connection);
  want(connection, FUSE_CAP_PARALLEL_DIROPS);
  want(connection, FUSE_CAP_CACHE_SYMLINKS);
  // Attributes come with the names, but only while they seem to be wanted.
  want(connection, FUSE_CAP_READDIRPLUS);
  want(connection, FUSE_CAP_READDIRPLUS_AUTO);
  // Numbers are stable and "." and ".." can be looked up: so file handles (NFS, overlayfs) work.
  want(connection, FUSE_CAP_EXPORT_SUPPORT);
  // Where the kernel checks permissions, it shall heed the image's ACLs too; without this they
  // would be shown (getxattr) but not obeyed.
  want(connection, FUSE_CAP_POSIX_ACL, service.kernel_checks_permissions);
  service.directories_without_open = connection->capable & FUSE_CAP_NO_OPENDIR_SUPPORT;
}

void statfs(fuse_req_t request, fuse_ino_t) noexcept {
  const tree::Statistics statistics = service_of(request).tree->statistics();
  struct statvfs totals{};
  totals.f_bsize = totals.f_frsize = kBlockSize;
  totals.f_blocks = divide_up<std::uint64_t>(statistics.bytes, kBlockSize);
  totals.f_files = statistics.inodes;
  totals.f_namemax = 255;
  fuse_reply_statfs(request, &totals);
}

// --- Names and attributes -------------------------------------------------------------------

Result<NodeId> find(const tree::FileTree& tree, NodeId directory, std::string_view name) {
  if (name == ".") return directory;  // asked for by holders of file handles only
  if (name == "..") return tree.parent(directory);
  return tree.lookup(directory, name);
}

void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) noexcept {
  const Service& service = service_of(request);
  const auto node = find(*service.tree, service.numbers.node(parent), name);
  if (!node) {
    if (node.error().kind() != ErrorKind::not_found)
      return fail(request, "lookup in the directory", parent, node.error());
    fuse_entry_param nothing{};  // inode 0: the kernel remembers that the name does not exist
    nothing.entry_timeout = kUnchanging;
    fuse_reply_entry(request, &nothing);
    return;
  }
  const auto attributes = service.tree->attributes(*node);
  if (!attributes)
    return fail(request, "attributes", service.numbers.inode(*node), attributes.error());
  const fuse_entry_param entry = entry_of(service, *node, *attributes);
  fuse_reply_entry(request, &entry);
}

// Nodes are not counted: their numbers are always valid.
void forget(fuse_req_t request, fuse_ino_t, std::uint64_t) noexcept {
  fuse_reply_none(request);
}
void forget_multi(fuse_req_t request, std::size_t, fuse_forget_data*) noexcept {
  fuse_reply_none(request);
}

void getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) noexcept {
  const Service& service = service_of(request);
  const auto attributes = service.tree->attributes(service.numbers.node(inode));
  if (!attributes) return fail(request, "attributes", inode, attributes.error());
  const struct stat status = stat_of(*attributes, inode);
  fuse_reply_attr(request, &status, kUnchanging);
}

void readlink(fuse_req_t request, fuse_ino_t inode) noexcept {
  const Service& service = service_of(request);
  const auto target = service.tree->read_link(service.numbers.node(inode));
  if (!target) return fail(request, "target", inode, target.error());
  fuse_reply_readlink(request, target->c_str());
}

/// Asked only where the kernel does not check permissions: then everything may be read.
void access(fuse_req_t request, fuse_ino_t inode, int mask) noexcept {
  const Service& service = service_of(request);
  const auto attributes = service.tree->attributes(service.numbers.node(inode));
  if (!attributes) return fail(request, "attributes", inode, attributes.error());
  const bool not_a_program = attributes->is_regular() && !(attributes->mode & 0111);
  fuse_reply_err(request, mask & W_OK ? EROFS : mask & X_OK && not_a_program ? EACCES : 0);
}

// --- Directories ----------------------------------------------------------------------------

void opendir(fuse_req_t request, fuse_ino_t, fuse_file_info* info) noexcept {
  // An open directory has no state. A kernel that understands "not implemented" in this sense asks
  // only once, and caches the listings of all directories from then on.
  if (service_of(request).directories_without_open) {
    fuse_reply_err(request, ENOSYS);
    return;
  }
  info->keep_cache = 1;
  info->cache_readdir = 1;
  fuse_reply_open(request, info);
}

/// A listing being written into a reply, with the attributes of each entry (READDIRPLUS) or not.
class Listing {
 public:
  Listing(fuse_req_t request, std::size_t size, bool with_attributes)
      : request_(request),
        service_(service_of(request)),
        buffer_(reply_buffer(size)),
        size_(size),
        with_attributes_(with_attributes) {}

  /// False when it does not fit any more.
  bool add(std::string_view name, NodeId node, std::uint32_t type, off_t next) {
    name_.assign(name);
    fuse_entry_param entry{};
    entry.attr.st_ino = service_.numbers.inode(node);
    entry.attr.st_mode = type;
    if (with_attributes_ && name != "." && name != "..") {
      // An entry whose attributes cannot be had is still listed: with node number 0, which tells
      // the kernel to look it up when needed, and that fails with the right error.
      if (const auto attributes = service_.tree->attributes(node))
        entry = entry_of(service_, node, *attributes);
    }
    char* const at = buffer_ + used_;
    const std::size_t left = size_ - used_;
    const std::size_t needed =
        with_attributes_ ? fuse_add_direntry_plus(request_, at, left, name_.c_str(), &entry, next)
                         : fuse_add_direntry(request_, at, left, name_.c_str(), &entry.attr, next);
    if (needed > left) return false;
    used_ += needed;
    return true;
  }

  bool empty() const { return used_ == 0; }
  void send() { fuse_reply_buf(request_, buffer_, used_); }

 private:
  fuse_req_t request_;
  const Service& service_;
  char* buffer_;
  std::size_t size_;
  std::size_t used_ = 0;
  bool with_attributes_;
  std::string name_;
};

Result<void> fill(Listing& listing, const Service& service, NodeId directory, off_t offset) {
  if (offset < kAfterDot && !listing.add(".", directory, S_IFDIR, kAfterDot)) return {};
  if (offset < kAfterDotDot) {
    const NodeId parent = TRY(service.tree->parent(directory));
    if (!listing.add("..", parent, S_IFDIR, kAfterDotDot)) return {};
    offset = kAfterDotDot;
  }
  return service.tree->list(directory, static_cast<std::uint64_t>(offset - kAfterDotDot),
                            [&](const tree::DirectoryEntry& entry, std::uint64_t next) {
                              return listing.add(entry.name, entry.node, entry.type,
                                                 static_cast<off_t>(next) + kAfterDotDot);
                            });
}

void list(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
          bool with_attributes) {
  if (offset < 0) {
    fuse_reply_err(request, EINVAL);
    return;
  }
  const Service& service = service_of(request);
  Listing listing(request, size, with_attributes);
  const auto filled = fill(listing, service, service.numbers.node(inode), offset);
  // What there is before the failure is sent; the next request meets it again.
  if (!filled && listing.empty())
    return fail(request, "listing of the directory", inode, filled.error());
  listing.send();
}

void readdir(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
             fuse_file_info*) noexcept {
  list(request, inode, size, offset, false);
}

void readdirplus(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
                 fuse_file_info*) noexcept {
  list(request, inode, size, offset, true);
}

// --- Content --------------------------------------------------------------------------------

void open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) noexcept {
  Service& service = service_of(request);
  if ((info->flags & O_ACCMODE) != O_RDONLY || info->flags & O_TRUNC) {
    fuse_reply_err(request, EROFS);
    return;
  }
  auto file = service.tree->open(service.numbers.node(inode));
  if (!file) {
    // An object that is missing from the store is an I/O error like any other.
    note(service, "open", inode, file.error());
    fuse_reply_err(request, errno_of_content(file.error()));
    return;
  }
  const auto handle = service.open_files.add(std::move(*file));
  if (!handle) {
    note(service, "open", inode,
         Error(ErrorKind::limit, fmt::format("{} files are open, which is the limit of this mount",
                                             service.open_files.max_files())));
    fuse_reply_err(request, ENFILE);
    return;
  }
  info->fh = *handle;
  info->keep_cache = 1;  // pages in the cache have been verified and never become stale
  info->noflush = 1;
  // The kernel does not release what it could not be told of.
  if (fuse_reply_open(request, info) != 0) service.open_files.remove(info->fh);
}

void read(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
          fuse_file_info* info) noexcept {
  char* const buffer = reply_buffer(size);
  const auto count = OpenFiles::file(info->fh).read(static_cast<std::uint64_t>(offset),
                                                    {reinterpret_cast<std::byte*>(buffer), size});
  if (!count) {
    // All of the request or nothing: a short reply would look like the end of the file. The kernel
    // asks again for single pages, and only those that are bad fail again.
    if (count.error().kind() != ErrorKind::tampered)
      note(service_of(request), "read", inode, count.error());
    fuse_reply_err(request, errno_of_content(count.error()));
    return;
  }
  fuse_reply_buf(request, buffer, *count);
}

void release(fuse_req_t request, fuse_ino_t, fuse_file_info* info) noexcept {
  service_of(request).open_files.remove(info->fh);
  fuse_reply_err(request, 0);
}

// --- Extended attributes --------------------------------------------------------------------

/// The two-step protocol of getxattr(2): the size first, if asked with an empty buffer.
void reply_xattr(fuse_req_t request, const std::string& value, std::size_t size) {
  if (size == 0)
    fuse_reply_xattr(request, value.size());
  else if (value.size() > size)
    fuse_reply_err(request, ERANGE);
  else
    fuse_reply_buf(request, value.data(), value.size());
}

void getxattr(fuse_req_t request, fuse_ino_t inode, const char* name, std::size_t size) noexcept {
  const Service& service = service_of(request);
  const auto value = service.tree->get_xattr(service.numbers.node(inode), name);
  if (value) return reply_xattr(request, *value, size);
  if (value.error().kind() == ErrorKind::not_found)
    fuse_reply_err(request, ENODATA);
  else
    fail(request, "extended attribute", inode, value.error());
}

void listxattr(fuse_req_t request, fuse_ino_t inode, std::size_t size) noexcept {
  const Service& service = service_of(request);
  const auto names = service.tree->list_xattrs(service.numbers.node(inode));
  if (!names) return fail(request, "extended attributes", inode, names.error());
  // The kernel lets only administrators read these; listing them to others makes cp and tar fail.
  const bool show_trusted = fuse_req_ctx(request)->uid == 0;
  std::string list;
  for (const std::string& name : *names)
    if (show_trusted || !name.starts_with("trusted.")) (list += name) += '\0';
  reply_xattr(request, list, size);
}

fuse_lowlevel_ops make_handlers() {
  fuse_lowlevel_ops handlers{};
  handlers.init = init;
  handlers.statfs = statfs;
  handlers.lookup = lookup;
  handlers.forget = forget;
  handlers.forget_multi = forget_multi;
  handlers.getattr = getattr;
  handlers.readlink = readlink;
  handlers.access = access;
  handlers.opendir = opendir;
  handlers.readdir = readdir;
  handlers.readdirplus = readdirplus;
  handlers.open = open;
  handlers.read = read;
  handlers.release = release;
  handlers.getxattr = getxattr;
  handlers.listxattr = listxattr;
  refuse_changes(handlers);
  return handlers;
}

}  // namespace

const fuse_lowlevel_ops& request_handlers() {
  static const fuse_lowlevel_ops handlers = make_handlers();
  return handlers;
}

}  // namespace intact::serve
