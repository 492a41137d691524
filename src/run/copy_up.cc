#include "copy_up.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <intact/base/file.h>

#include "directory_piece.h"
#include "sparse.h"

namespace intact::run {
namespace {

using tree::NodeId;

constexpr std::size_t kMaxDepth = 256;
constexpr std::size_t kBlock = 256 * 1024;  // bytes
constexpr std::uint64_t kPage = 4096;       // bytes
// A tmpfs keeps shorter targets of symbolic links outside its pages.
constexpr std::size_t kLongTarget = 128;  // bytes

/// Where a copy is below the topmost target. Names share their parents: as many whole paths could
/// take far more memory than the files themselves.
struct Place {
  std::shared_ptr<const Place> parent;  ///< null: the topmost target
  std::string name;
};
using PlacePtr = std::shared_ptr<const Place>;

std::string path_of(const PlacePtr& parent, const std::string& name) {
  std::vector<const std::string*> names{&name};
  for (const Place* place = parent.get(); place; place = place->parent.get())
    names.push_back(&place->name);
  std::string path;
  for (auto it = names.rbegin(); it != names.rend(); ++it) path += (path.empty() ? "" : "/") + **it;
  return path;
}

/// What the kernel allocates for an attribute: powers of two, with headers.
std::uint64_t attribute_cost(const std::string& name, const std::string& value) {
  constexpr std::uint64_t kHeader = 64;  // bytes
  return std::bit_ceil(value.size() + name.size() + kHeader);
}

/// A directory whose entries are being copied.
struct Level {
  UniqueFd target;
  NodeId node;
  tree::Attributes attributes;
  PlacePtr place;
  DirectoryPiece piece;
  std::size_t next = 0;  ///< index in the piece
};

class Copier {
 public:
  Copier(const tree::FileTree& tree, CopyBudget& budget) : tree_(tree), budget_(budget) {}

  Result<void> run(NodeId directory, const std::string& target) {
    top_ = TRY(open_file(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TRY(enter(TRY(open_at(top_.get(), ".", O_RDONLY | O_DIRECTORY)), directory, {}, {}));
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (level.next < level.piece.entries.size()) {
        const auto [name, node] = std::move(level.piece.entries[level.next++]);
        TRY(copy(level, name, node));
        continue;
      }
      if (!level.piece.last) {
        level.piece = TRY(list_piece(tree_, level.node, level.piece.next));
        level.next = 0;
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
                     PlacePtr place) {
    if (levels_.size() >= kMaxDepth)
      return Error(ErrorKind::limit, fmt::format("more than {} levels of directories", kMaxDepth));
    Level level{.target = std::move(target),
                .node = node,
                .attributes = attributes,
                .place = std::move(place),
                .piece = TRY(list_piece(tree_, node, 0))};
    levels_.push_back(std::move(level));
    return {};
  }

  Result<void> copy(const Level& level, const std::string& name, NodeId node) {
    const int directory = level.target.get();
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
      return Error(ErrorKind::malformed, "a directory entry has an unusable name");
    const tree::Attributes attributes = TRY(tree_.attributes(node));
    if (attributes.is_device()) return {};
    TRY(budget_.add_inode().context(name));
    if (attributes.is_directory()) {
      if (::mkdirat(directory, name.c_str(), 0700) != 0) return Error::from_errno(name, errno);
      return enter(TRY(open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)), node,
                   attributes, std::make_shared<Place>(level.place, name));
    }
    if (attributes.nlink > 1) {
      const auto first = links_.find(node);
      if (first != links_.end()) {
        const std::string path = path_of(first->second.parent, first->second.name);
        if (::linkat(top_.get(), path.c_str(), directory, name.c_str(), 0) == 0) return {};
        // A path that is too long for linkat(2): a copy of its own.
      }
    }
    const PlacePtr parent = level.place;
    if (!TRY(copy_other(directory, name, node, attributes))) return {};
    // Each entry stands for a copy, so there are no more than the budget has inodes.
    if (attributes.nlink > 1) links_.try_emplace(node, parent, name);
    return {};
  }

  /// What is not a directory. False: it cannot be made here.
  Result<bool> copy_other(int directory, const std::string& name, NodeId node,
                          const tree::Attributes& attributes) {
    if (attributes.is_regular()) {
      TRY(copy_file(directory, name, node, attributes));
      return true;
    }
    if (attributes.is_symlink()) {
      const std::string target = TRY(tree_.read_link(node));
      if (target.size() >= kLongTarget) TRY(budget_.add_bytes(kPage).context(name));
      if (::symlinkat(target.c_str(), directory, name.c_str()) != 0)
        return Error::from_errno(name, errno);
    } else if (::mknodat(directory, name.c_str(), attributes.type() | 0600, 0) != 0) {
      return false;
    }
    TRY(set_attributes_of(directory, name, attributes));
    return true;
  }

  Result<void> copy_file(int directory, const std::string& name, NodeId node,
                         const tree::Attributes& attributes) {
    const UniqueFd target =
        TRY(open_at(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    const auto source = TRY(tree_.open(node));
    buffer_.resize(kBlock);
    std::uint64_t counted = 0;
    for (std::uint64_t at = 0; at < attributes.size;) {
      const std::size_t want =
          static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, attributes.size - at));
      const std::size_t count = TRY(source->read(at, MutableByteSpan(buffer_).first(want)));
      if (count == 0) return Error(ErrorKind::malformed, name + ": shorter than its size says");
      TRY(write_sparse(target.get(), at, ByteSpan(buffer_).first(count)).context(name));
      struct stat st;
      if (::fstat(target.get(), &st) != 0) return Error::from_errno(name, errno);
      const std::uint64_t used = static_cast<std::uint64_t>(st.st_blocks) * 512;
      if (used > counted) TRY(budget_.add_bytes(used - counted).context(name));
      counted = std::max(counted, used);
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
      TRY(budget_.add_bytes(attribute_cost(name, value)).context(name));
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
  CopyBudget& budget_;
  UniqueFd top_;
  std::vector<Level> levels_;
  std::map<NodeId, Place> links_;  ///< files with several names: the first copy
  Bytes buffer_;
};

}  // namespace

Result<void> copy_up(const tree::FileTree& tree, tree::NodeId directory, const std::string& target,
                     CopyBudget& budget) {
  return Copier(tree, budget).run(directory, target);
}

}  // namespace intact::run
