#include <algorithm>
#include <map>

#include <intact/base/text.h>
#include <intact/run/bundle.h>

#include "tree_path.h"

namespace intact::run {
namespace {

using tree::NodeId;

// Marks the numbers of added nodes. Formats number by place in a file, far below this.
constexpr std::uint64_t kAdded = std::uint64_t{1} << 62;

bool is_added(std::uint64_t value) {
  return (value & kAdded) != 0;
}
bool is_added(NodeId node) {
  return is_added(static_cast<std::uint64_t>(node));
}

using Children = std::map<std::string, NodeId, std::less<>>;

class EmptyFile final : public tree::OpenFile {
 public:
  Result<std::size_t> read(std::uint64_t, MutableByteSpan) override { return std::size_t{0}; }
};

class MountPointTree final : public tree::FileTree {
 public:
  explicit MountPointTree(std::shared_ptr<const tree::FileTree> below) : below_(std::move(below)) {}

  Result<void> add(const MountPoint& point);
  bool changed() const { return !nodes_.empty(); }

  NodeId root() const override { return below_->root(); }

  Result<tree::Attributes> attributes(NodeId node) const override {
    if (!is_added(node)) {
      tree::Attributes attributes = TRY(below_->attributes(node));
      attributes.nlink += subdirectories(node);
      return attributes;
    }
    const Node& added = at(node);
    tree::Attributes attributes;
    attributes.mode = added.directory ? S_IFDIR | 0755 : S_IFREG | 0644;
    attributes.nlink = added.directory ? 2 + subdirectories(node) : 1;
    return attributes;
  }

  Result<NodeId> lookup(NodeId directory, std::string_view name) const override {
    if (const auto* children = children_of(directory))
      if (const auto it = children->find(name); it != children->end()) return it->second;
    if (!is_added(directory)) return below_->lookup(directory, name);
    TRY(require_directory(directory));
    return Error(ErrorKind::not_found, std::string(name));
  }

  Result<NodeId> parent(NodeId directory) const override {
    if (!is_added(directory)) return below_->parent(directory);
    TRY(require_directory(directory));
    return at(directory).parent;
  }

  Result<void> list(
      NodeId directory, std::uint64_t cookie,
      const std::function<bool(const tree::DirectoryEntry&, std::uint64_t)>& emit) const override;

  Result<std::string> read_link(NodeId symlink) const override {
    if (is_added(symlink)) return Error(ErrorKind::invalid_argument, "not a symlink");
    return below_->read_link(symlink);
  }
  Result<std::vector<std::string>> list_xattrs(NodeId node) const override {
    if (is_added(node)) return std::vector<std::string>();
    return below_->list_xattrs(node);
  }
  Result<std::string> get_xattr(NodeId node, std::string_view name) const override {
    if (is_added(node)) return Error(ErrorKind::not_found, "no such attribute");
    return below_->get_xattr(node, name);
  }
  Result<std::shared_ptr<tree::OpenFile>> open(NodeId file) const override {
    if (!is_added(file)) return below_->open(file);
    if (at(file).directory) return Error(ErrorKind::invalid_argument, "not a regular file");
    return std::shared_ptr<tree::OpenFile>(std::make_shared<EmptyFile>());
  }
  tree::Statistics statistics() const override {
    tree::Statistics statistics = below_->statistics();
    statistics.inodes += nodes_.size();
    return statistics;
  }

 private:
  struct Node {
    NodeId parent;
    bool directory;
  };

  const Node& at(NodeId node) const { return nodes_[static_cast<std::uint64_t>(node) & ~kAdded]; }
  const Children* children_of(NodeId directory) const {
    const auto it = children_.find(directory);
    return it == children_.end() ? nullptr : &it->second;
  }
  std::uint32_t subdirectories(NodeId directory) const {
    const auto* children = children_of(directory);
    if (!children) return 0;
    return static_cast<std::uint32_t>(std::count_if(
        children->begin(), children->end(), [&](const auto& c) { return at(c.second).directory; }));
  }
  Result<void> require_directory(NodeId node) const {
    if (at(node).directory) return {};
    return Error(ErrorKind::invalid_argument, "not a directory");
  }

  std::shared_ptr<const tree::FileTree> below_;
  std::vector<Node> nodes_;
  std::map<NodeId, Children> children_;  // of directories of either kind: added names only
};

Result<void> MountPointTree::add(const MountPoint& point) {
  NodeId here = root();
  std::string_view rest = point.path;
  while (rest.starts_with('/')) rest.remove_prefix(1);
  while (!rest.empty()) {
    const std::string_view name = take_until(rest, '/');
    const bool want_directory = !rest.empty() || point.directory;
    auto next = lookup(here, name);
    if (next) {
      const bool directory = TRY(attributes(*next)).is_directory();
      if (directory != want_directory)
        return Error(ErrorKind::invalid_argument,
                     point.path + ": cannot be mounted on: " +
                         (rest.empty() ? std::string() : "\"" + std::string(name) + "\" is ") +
                         (directory ? "a directory" : "not a directory") + " in the image");
      here = *next;
      continue;
    }
    if (next.error().kind() != ErrorKind::not_found) return std::move(next).error();
    const NodeId node{kAdded | nodes_.size()};
    nodes_.push_back({here, want_directory});
    children_[here].emplace(name, node);
    here = node;
  }
  return {};
}

Result<void> MountPointTree::list(
    NodeId directory, std::uint64_t cookie,
    const std::function<bool(const tree::DirectoryEntry&, std::uint64_t)>& emit) const {
  // The added names come after the others: a cookie with the mark counts how many were returned.
  // They are therefore not in byte order, which no reader of these directories relies on.
  if (!is_added(directory) && !is_added(cookie)) {
    bool stopped = false;
    TRY(below_->list(directory, cookie, [&](const tree::DirectoryEntry& entry, std::uint64_t next) {
      stopped = !emit(entry, next);
      return !stopped;
    }));
    if (stopped) return {};
  } else if (is_added(directory)) {
    TRY(require_directory(directory));
  }
  const auto* children = children_of(directory);
  if (!children) return {};
  const std::uint64_t given = is_added(cookie) ? cookie & ~kAdded : 0;
  std::uint64_t index = 0;
  for (const auto& [name, node] : *children) {
    if (index++ < given) continue;
    const std::uint32_t type = at(node).directory ? S_IFDIR : S_IFREG;
    if (!emit({name, node, type}, kAdded | index)) return {};
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const tree::FileTree>> add_mount_points(
    std::shared_ptr<const tree::FileTree> tree, const std::vector<MountPoint>& points) {
  auto with_points = std::make_shared<MountPointTree>(tree);
  for (const auto& point : points) TRY(with_points->add(point));
  if (!with_points->changed()) return tree;
  return std::shared_ptr<const tree::FileTree>(std::move(with_points));
}

}  // namespace intact::run
