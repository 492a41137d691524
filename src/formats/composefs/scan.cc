#include <cerrno>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/worker_pool.h>
#include <intact/composefs/scan.h>
#include <intact/fsverity/tree.h>

#include "file_xattrs.h"
#include "format.h"
#include "object_directory.h"

namespace intact::composefs {
namespace {

/// A job is this many files of a directory: waking a thread for each costs as much as hashing it.
constexpr std::size_t kJobFiles = 32;

/// Bytes of directory entries read at once.
constexpr std::size_t kEntriesSize = 64 << 10;

/// A directory that stays open while something below it is still to be done.
struct Directory {
  UniqueFd fd;
  std::string path;  ///< for messages
};
using DirectoryPtr = std::shared_ptr<const Directory>;

std::string path_in(const Directory& directory, std::string_view name) {
  return fmt::format("{}{}{}", directory.path, directory.path.ends_with('/') ? "" : "/", name);
}

Error changed() {
  return {ErrorKind::io, "the file changed while the directory was being read"};
}

/// Reads everything about a file except its content.
Result<struct stat> describe(int fd, const ScanOptions& options, tree::Inode& inode) {
  struct stat st;
  if (::fstat(fd, &st) != 0) return Error::from_errno("stat", errno);
  tree::Attributes& attributes = inode.attributes;
  attributes.mode = st.st_mode;
  attributes.nlink = 1;
  attributes.uid = st.st_uid;
  attributes.gid = st.st_gid;
  if (attributes.is_device()) attributes.rdev = static_cast<std::uint32_t>(st.st_rdev);
  attributes.size = static_cast<std::uint64_t>(st.st_size);
  if (!options.use_epoch)
    attributes.mtime = {st.st_mtim.tv_sec, static_cast<std::uint32_t>(st.st_mtim.tv_nsec)};
  if (!options.skip_xattrs) inode.xattrs = TRY(file_xattrs(fd, options.user_xattrs ? "user." : ""));
  return st;
}

/// A regular file that is still to be opened.
struct Content {
  std::string name;
  tree::InodePtr inode;  ///< used by nobody else until the job has ended
};

/// Opens what is a regular file according to its directory, without stat(2) first. Only a mount can
/// have put something else there, which must not be opened (a device), and an empty file may be
/// unreadable to us: if opening fails, stat(2) decides.
Result<UniqueFd> open_content(const Directory& directory, const std::string& name) {
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  open_how how{};
  how.flags = static_cast<std::uint64_t>(kFlags | O_CLOEXEC);
  how.resolve = RESOLVE_NO_XDEV;
  const long fd = ::syscall(SYS_openat2, directory.fd.get(), name.c_str(), &how, sizeof how);
  if (fd >= 0) return UniqueFd(static_cast<int>(fd));
  struct stat st;
  if (::fstatat(directory.fd.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
    return Error::from_errno("stat", errno);
  const bool readable = S_ISREG(st.st_mode) && st.st_size > 0;
  return open_at(directory.fd.get(), name, readable ? kFlags : O_PATH | O_NOFOLLOW);
}

/// Describes and hashes regular files of a directory, keeps small ones, copies large ones to the
/// object directory. One job: runs on any thread.
class ContentJob {
 public:
  /// `batch`: empty.
  ContentJob(const Directory& directory, const ScanOptions& options, ObjectDirectory* store,
             fsverity::TreeBatch& batch)
      : directory_(directory), options_(options), store_(store), batch_(batch) {}

  Result<void> run(const std::vector<Content>& contents) {
    const auto in_file = [&](Result<void> done, const Content& content) {
      return done ? std::move(done)
                  : std::move(done).error().with_context(path_in(directory_, content.name));
    };
    for (const Content& content : contents) TRY(in_file(begin(content), content));
    const auto trees = batch_.finish();
    for (std::size_t i = 0; i < files_.size(); ++i) {
      const File& file = files_[i];
      TRY(in_file(finish(*file.content->inode, file.fd.get(), file.bytes, trees[i].digest),
                  *file.content));
    }
    return {};
  }

 private:
  /// A file that has been read. What may become an object is either still open, so that its blocks
  /// can be shared, or has been kept.
  struct File {
    const Content* content;
    UniqueFd fd;
    Bytes bytes;
  };

  Result<void> begin(const Content& content) {
    tree::Inode& inode = *content.inode;
    UniqueFd fd = TRY(open_content(directory_, content.name));
    const struct stat st = TRY(describe(fd.get(), options_, inode));
    if (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode)) return changed();
    if (!S_ISREG(st.st_mode) || st.st_size == 0) return {};
    if (inode.attributes.size > fsverity::TreeBatch::kMaxContent)
      return finish(inode, fd.get(), {}, TRY(fsverity::digest_file(fd.get())));
    const MutableByteSpan bytes = batch_.add(static_cast<std::size_t>(inode.attributes.size));
    TRY(pread_exact(fd.get(), 0, bytes));
    if (bytes.size() <= kInlineLimit) inode.content = as_text(bytes);
    Bytes kept;
    const bool is_object = store_ && bytes.size() > kInlineLimit;
    if (is_object && !store_->may_clone()) kept.assign(bytes.begin(), bytes.end());
    if (!is_object || !kept.empty()) fd.reset();
    files_.push_back({&content, std::move(fd), std::move(kept)});
    return {};
  }

  Result<void> finish(tree::Inode& inode, int fd, ByteSpan bytes, const Digest& digest) {
    inode.digest = digest;
    inode.payload = object_path(digest);
    if (!store_ || inode.attributes.size <= kInlineLimit) return {};
    return bytes.empty() ? store_->add(fd, digest) : store_->add(bytes, digest);
  }

  const Directory& directory_;
  const ScanOptions& options_;
  ObjectDirectory* store_;
  std::vector<File> files_;
  fsverity::TreeBatch& batch_;
};

class Scanner {
 public:
  Scanner(const ScanOptions& options, ObjectDirectory* store)
      : options_(options), store_(store), pool_(options.threads) {}

  Result<tree::Tree> scan(const std::string& path) {
    auto root =
        std::make_shared<Directory>(Directory{TRY(open_file(path, O_RDONLY | O_DIRECTORY)), path});
    TRY(describe(root->fd.get(), options_, tree_.root()).context(path));
    TRY(read_directory(root, tree_.root()));
    // Last in, first out: what is open at any time is one directory for each level of the tree.
    while (!pending_.empty()) {
      if (pool_.failed()) break;
      const Pending next = std::move(pending_.back());
      pending_.pop_back();
      auto directory = std::make_shared<Directory>(Directory{
          TRY(open_at(next.parent->fd.get(), next.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                  .context(next.parent->path)),
          path_in(*next.parent, next.name)});
      TRY(describe(directory->fd.get(), options_, *next.inode).context(directory->path));
      TRY(read_directory(directory, *next.inode));
    }
    TRY(pool_.wait());
    return std::move(tree_);
  }

 private:
  struct Pending {
    DirectoryPtr parent;
    std::string name;
    tree::Inode* inode;
  };

  Result<void> read_directory(const DirectoryPtr& directory, tree::Inode& inode) {
    for (;;) {
      const ssize_t size = ::getdents64(directory->fd.get(), entries_.get(), kEntriesSize);
      if (size < 0) return Error::from_errno(directory->path, errno);
      if (size == 0) break;
      if (pool_.failed()) return {};
      for (ssize_t at = 0; at < size;) {
        const auto& entry = *reinterpret_cast<const dirent64*>(entries_.get() + at);
        at += entry.d_reclen;
        const std::string_view name = entry.d_name;
        if (name == "." || name == "..") continue;
        auto added = add(directory, inode, entry);
        if (!added) return std::move(added).error().with_context(path_in(*directory, name));
      }
    }
    submit(directory);
    return {};
  }

  /// What has been collected of one directory becomes a job.
  void submit(const DirectoryPtr& directory) {
    if (contents_.empty()) return;
    pool_.submit([this, directory, contents = std::exchange(contents_, {})] {
      static thread_local fsverity::TreeBatch batch;
      auto done = ContentJob(*directory, options_, store_, batch).run(contents);
      if (!done) (void)batch.finish();  // what it has not come to
      return done;
    });
  }

  /// The type of a directory's entry, without looking at the file where it matters little.
  Result<unsigned char> type_of(const Directory& directory, const dirent64& entry) const {
    // Only a mount can make a device of what is not one, and then the directory does not know it.
    if (entry.d_type != DT_UNKNOWN && !options_.skip_devices) return entry.d_type;
    struct stat st;
    if (::fstatat(directory.fd.get(), entry.d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
      return Error::from_errno("stat", errno);
    return static_cast<unsigned char>(IFTODT(st.st_mode));
  }

  Result<void> add(const DirectoryPtr& directory, tree::Inode& parent, const dirent64& entry) {
    const unsigned char type = TRY(type_of(*directory, entry));
    if (options_.skip_devices && (type == DT_CHR || type == DT_BLK)) return {};
    std::string name = entry.d_name;
    tree::InodePtr inode = std::make_shared<tree::Inode>();
    if (type == DT_DIR) {
      pending_.push_back({directory, name, inode.get()});
    } else if (type == DT_REG) {
      contents_.push_back({name, inode});
      if (contents_.size() >= kJobFiles) submit(directory);
    } else {
      TRY(add_special(*directory, name, *inode));
    }
    parent.entries.emplace(std::move(name), tree::Entry{std::move(inode), false});
    return {};
  }

  /// What must not be opened: symlinks, devices, pipes, sockets.
  Result<void> add_special(const Directory& directory, const std::string& name,
                           tree::Inode& inode) {
    const UniqueFd fd = TRY(open_at(directory.fd.get(), name, O_PATH | O_NOFOLLOW));
    const struct stat st = TRY(describe(fd.get(), options_, inode));
    if (S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_size > 0)) return changed();
    if (S_ISLNK(st.st_mode)) inode.payload = TRY(read_target(fd.get()));
    return {};
  }

  static Result<std::string> read_target(int fd) {
    std::string target(kPayloadMax + 1, '\0');
    const ssize_t length = ::readlinkat(fd, "", target.data(), target.size());
    if (length < 0) return Error::from_errno("readlink", errno);
    target.resize(static_cast<std::size_t>(length));
    return target;
  }

  const ScanOptions& options_;
  ObjectDirectory* store_;
  tree::Tree tree_;
  std::vector<Pending> pending_;
  std::vector<Content> contents_;  ///< of the directory that is being read, for the next job
  /// What getdents64(2) fills; one buffer for all directories.
  std::unique_ptr<std::byte[]> entries_ = std::make_unique_for_overwrite<std::byte[]>(kEntriesSize);
  WorkerPool pool_;  ///< last, so that its jobs end before what they write to goes away
};

}  // namespace

Result<tree::Tree> scan_directory(const std::string& path, const ScanOptions& options) {
  if (options.skip_xattrs && options.user_xattrs)
    return Error(ErrorKind::invalid_argument, "--skip-xattrs and --user-xattrs exclude each other");
  std::unique_ptr<ObjectDirectory> store;
  if (!options.digest_store.empty()) store = TRY(ObjectDirectory::open(options.digest_store));
  tree::Tree tree = TRY(Scanner(options, store.get()).scan(path));
  if (store) TRY(store->sync());
  return tree;
}

}  // namespace intact::composefs
