#include <cerrno>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
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

/// A job is so many files of a directory, or fewer with so many bytes.
constexpr std::size_t kJobFiles = 32;
constexpr std::uint64_t kJobBytes = 1 << 20;

/// A directory that stays open while something below it is still to be done.
struct Directory {
  UniqueFd fd;
  std::string path;  ///< for messages
};
using DirectoryPtr = std::shared_ptr<const Directory>;

std::string path_in(const Directory& directory, std::string_view name) {
  return fmt::format("{}{}{}", directory.path, directory.path.ends_with('/') ? "" : "/", name);
}

/// Identity and size of a file, to notice that it was exchanged meanwhile.
struct Seen {
  dev_t device;
  ino_t inode;
  off_t size;
  explicit Seen(const struct stat& st) : device(st.st_dev), inode(st.st_ino), size(st.st_size) {}
  bool operator==(const Seen&) const = default;
};

Error changed() {
  return {ErrorKind::io, "the file has changed while the directory was read"};
}

/// All that is known of a file but its content.
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
  Seen seen;
  tree::InodePtr inode;  ///< nobody else looks at it meanwhile
};

/// Describes and hashes a regular file, keeps a small one, copies a large one to the object
/// directory. Runs on any thread.
Result<void> process_content(const Directory& directory, const Content& content,
                             const ScanOptions& options, ObjectDirectory* store) {
  tree::Inode& inode = *content.inode;
  const UniqueFd fd =
      TRY(open_at(directory.fd.get(), content.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  const struct stat st = TRY(describe(fd.get(), options, inode));
  if (!S_ISREG(st.st_mode) || Seen(st) != content.seen) return changed();
  if (inode.attributes.size <= kInlineLimit) {
    inode.content.resize(static_cast<std::size_t>(inode.attributes.size));
    TRY(pread_exact(fd.get(), 0, std::as_writable_bytes(std::span(inode.content))));
    inode.digest = fsverity::digest_of(as_bytes(inode.content));
  } else {
    inode.digest = TRY(fsverity::digest_file(fd.get()));
    if (store) TRY(store->add(fd.get(), *inode.digest));
  }
  inode.payload = object_path(*inode.digest);
  return {};
}

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
    const int copy = ::fcntl(directory->fd.get(), F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return Error::from_errno(directory->path, errno);
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(copy), ::closedir);
    if (!stream) {
      ::close(copy);
      return Error::from_errno(directory->path, errno);
    }
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(stream.get());
      if (!entry && errno != 0) return Error::from_errno(directory->path, errno);
      if (!entry) break;
      if (pool_.failed()) return {};
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      TRY(add(directory, inode, name).context(path_in(*directory, name)));
    }
    submit(directory);
    return {};
  }

  /// What has been collected of one directory becomes a job: waking a thread for each small file
  /// costs as much as hashing it.
  void submit(const DirectoryPtr& directory) {
    if (contents_.empty()) return;
    pool_.submit([this, directory, contents = std::exchange(contents_, {})]() -> Result<void> {
      for (const Content& content : contents)
        TRY(process_content(*directory, content, options_, store_)
                .context(path_in(*directory, content.name)));
      return {};
    });
    bytes_ = 0;
  }

  Result<void> add(const DirectoryPtr& directory, tree::Inode& parent, const std::string& name) {
    struct stat st;
    if (::fstatat(directory->fd.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
      return Error::from_errno("stat", errno);
    if (options_.skip_devices && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))) return {};
    tree::InodePtr inode = std::make_shared<tree::Inode>();
    if (S_ISDIR(st.st_mode)) {
      pending_.push_back({directory, name, inode.get()});
    } else if (S_ISREG(st.st_mode) && st.st_size > 0) {
      bytes_ += static_cast<std::uint64_t>(st.st_size);
      contents_.push_back({name, Seen(st), inode});
      if (bytes_ >= kJobBytes || contents_.size() >= kJobFiles) submit(directory);
    } else {
      TRY(add_special(*directory, name, *inode));
    }
    parent.entries.emplace(name, tree::Entry{std::move(inode), false});
    return {};
  }

  /// What must not or need not be opened: symlinks, devices, pipes, sockets, empty files.
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
  std::uint64_t bytes_ = 0;        ///< of these
  WorkerPool pool_;  ///< last, so that its jobs end before what they write to goes away
};

}  // namespace

Result<tree::Tree> scan_directory(const std::string& path, const ScanOptions& options) {
  if (options.skip_xattrs && options.user_xattrs)
    return Error(ErrorKind::invalid_argument,
                 "all extended attributes or all but those of users can be left out, not both");
  std::optional<ObjectDirectory> store;
  if (!options.digest_store.empty())
    store.emplace(TRY(ObjectDirectory::open(options.digest_store)));
  tree::Tree tree = TRY(Scanner(options, store ? &*store : nullptr).scan(path));
  if (store) TRY(store->sync());
  return tree;
}

}  // namespace intact::composefs
