#include "copy_up.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/sparse.h>

namespace intact::run {
namespace {

using tree::NodeId;

constexpr std::size_t kMaxDepth = 256;
constexpr std::size_t kBlock = 256 * 1024;  // bytes

/// A directory whose entries are being copied.
struct Level {
  UniqueFd target;
  NodeId node;
  tree::Attributes attributes;
  std::string path;  ///< below the topmost target, with a slash at the end; empty for that itself
  std::vector<std::pair<std::string, NodeId>> entries;
  std::size_t next = 0;
};

class Copier {
 public:
  explicit Copier(const tree::FileTree& tree) : tree_(tree) {}

  Result<void> run(NodeId directory, const std::string& target) {
    top_ = TRY(open_file(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TRY(enter(TRY(open_at(top_.get(), ".", O_RDONLY | O_DIRECTORY)), directory, {}, {}));
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (level.next < level.entries.size()) {
        const auto [name, node] = std::move(level.entries[level.next++]);
        TRY(copy(level, name, node));
        continue;
      }
      // Times last: every entry made in a directory changes them.
      if (levels_.size() > 1) TRY(set_attributes(level.target.get(), level.node, level.attributes));
      levels_.pop_back();
    }
    return {};
  }

 private:
  Result<void> enter(UniqueFd target, NodeId node, const tree::Attributes& attributes,
                     std::string path) {
    if (levels_.size() >= kMaxDepth)
      return Error(ErrorKind::limit, fmt::format("more than {} levels of directories", kMaxDepth));
    Level level{.target = std::move(target),
                .node = node,
                .attributes = attributes,
                .path = std::move(path),
                .entries = {}};
    TRY(tree_.list(node, 0, [&](const tree::DirectoryEntry& entry, std::uint64_t) {
      level.entries.emplace_back(entry.name, entry.node);
      return true;
    }));
    levels_.push_back(std::move(level));
    return {};
  }

  Result<void> copy(const Level& level, const std::string& name, NodeId node) {
    const int directory = level.target.get();
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
      return Error(ErrorKind::malformed, "a directory entry has an unusable name");
    const tree::Attributes attributes = TRY(tree_.attributes(node));
    if (attributes.is_directory()) {
      if (::mkdirat(directory, name.c_str(), 0700) != 0) return Error::from_errno(name, errno);
      return enter(TRY(open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)), node,
                   attributes, level.path + name + "/");
    }
    if (attributes.nlink > 1) {
      const auto [first, fresh] = links_.try_emplace(node, level.path + name);
      if (!fresh && ::linkat(top_.get(), first->second.c_str(), directory, name.c_str(), 0) == 0)
        return {};
      // A path that is too long for linkat(2): a copy of its own.
    }
    if (attributes.is_regular()) return copy_file(directory, name, node, attributes);
    if (attributes.is_symlink()) {
      const std::string target = TRY(tree_.read_link(node));
      if (::symlinkat(target.c_str(), directory, name.c_str()) != 0)
        return Error::from_errno(name, errno);
    } else if (attributes.is_device() ||
               ::mknodat(directory, name.c_str(), attributes.type() | 0600, 0) != 0) {
      return {};
    }
    return set_attributes_of(directory, name, attributes);
  }

  Result<void> copy_file(int directory, const std::string& name, NodeId node,
                         const tree::Attributes& attributes) {
    const UniqueFd target =
        TRY(open_at(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    const auto source = TRY(tree_.open(node));
    buffer_.resize(kBlock);
    for (std::uint64_t at = 0; at < attributes.size;) {
      const std::size_t want =
          static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, attributes.size - at));
      const std::size_t count = TRY(source->read(at, MutableByteSpan(buffer_).first(want)));
      if (count == 0) return Error(ErrorKind::malformed, name + ": shorter than its size says");
      TRY(write_sparse(target.get(), at, ByteSpan(buffer_).first(count)).context(name));
      at += count;
    }
    if (::ftruncate(target.get(), static_cast<off_t>(attributes.size)) != 0)
      return Error::from_errno(name, errno);
    return set_attributes(target.get(), node, attributes);
  }

  /// Owner before mode: chown(2) clears the set-user-id bits. An owner that does not exist here is
  /// left out, as the image's own mounts show such files as nobody's.
  Result<void> set_attributes(int fd, NodeId node, const tree::Attributes& attributes) {
    if (::fchown(fd, attributes.uid, attributes.gid) != 0 && errno != EINVAL && errno != EPERM)
      return Error::from_errno("chown", errno);
    if (::fchmod(fd, attributes.mode & 07777) != 0) return Error::from_errno("chmod", errno);
    for (const std::string& name : TRY(tree_.list_xattrs(node))) {
      if (!name.starts_with("user.") && !name.starts_with("system.posix_acl_")) continue;
      const std::string value = TRY(tree_.get_xattr(node, name));
      if (::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) != 0 &&
          errno != EOPNOTSUPP && errno != EINVAL)
        return Error::from_errno(name, errno);
    }
    const timespec time = {attributes.mtime.seconds, attributes.mtime.nanoseconds};
    const timespec times[2] = {time, time};
    if (::futimens(fd, times) != 0) return Error::from_errno("set times", errno);
    return {};
  }

  /// The same for what cannot be opened.
  static Result<void> set_attributes_of(int directory, const std::string& name,
                                        const tree::Attributes& attributes) {
    if (::fchownat(directory, name.c_str(), attributes.uid, attributes.gid, AT_SYMLINK_NOFOLLOW) !=
            0 &&
        errno != EINVAL && errno != EPERM)
      return Error::from_errno(name, errno);
    if (!attributes.is_symlink() &&
        ::fchmodat(directory, name.c_str(), attributes.mode & 07777, 0) != 0)
      return Error::from_errno(name, errno);
    const timespec time = {attributes.mtime.seconds, attributes.mtime.nanoseconds};
    const timespec times[2] = {time, time};
    if (::utimensat(directory, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
      return Error::from_errno(name, errno);
    return {};
  }

  const tree::FileTree& tree_;
  UniqueFd top_;
  std::vector<Level> levels_;
  std::map<NodeId, std::string> links_;  ///< files with several names: path of the first copy
  Bytes buffer_;
};

}  // namespace

Result<void> copy_up(const tree::FileTree& tree, tree::NodeId directory,
                     const std::string& target) {
  return Copier(tree).run(directory, target);
}

}  // namespace intact::run
