#include <set>

#include <fmt/format.h>

#include <intact/run/bundle.h>
#include <intact/run/tree_path.h>

namespace intact::run {
namespace {

using tree::NodeId;

constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kMaxDepth = 256;  // as copy_up()

struct CopySize {
  std::uint64_t bytes = 0, inodes = 0;
};

/// What a copy of the directory takes in a tmpfs.
Result<CopySize> measure(const tree::FileTree& tree, NodeId top) {
  CopySize size;
  std::set<NodeId> seen;  // files with several names
  std::vector<std::pair<NodeId, std::size_t>> directories{{top, 1}};
  while (!directories.empty()) {
    const auto [directory, depth] = directories.back();
    directories.pop_back();
    if (depth > kMaxDepth)
      return Error(ErrorKind::limit, fmt::format("more than {} levels of directories", kMaxDepth));
    std::vector<NodeId> entries;
    TRY(tree.list(directory, 0, [&](const tree::DirectoryEntry& entry, std::uint64_t) {
      entries.push_back(entry.node);
      return true;
    }));
    for (const NodeId node : entries) {
      const tree::Attributes attributes = TRY(tree.attributes(node));
      ++size.inodes;  // a further name costs as much
      if (attributes.is_directory()) directories.emplace_back(node, depth + 1);
      if (!attributes.is_regular() || (attributes.nlink > 1 && !seen.insert(node).second)) continue;
      const std::uint64_t pages = attributes.size / kPage + (attributes.size % kPage != 0);
      size.bytes += std::min(pages, (UINT64_MAX - size.bytes) / kPage) * kPage;
    }
  }
  return size;
}

}  // namespace

Result<std::vector<std::string>> find_large_copies(const tree::FileTree& tree,
                                                   const Bundle& bundle) {
  std::vector<std::string> warnings;
  for (const Mount& mount : bundle.mounts) {
    if (!mount.shared_tmpfs || !mount.copy_up) continue;
    const auto node = TRY(resolve(tree, mount.destination)).node;
    if (!node) continue;
    const CopySize size = TRY(measure(tree, *node).context(mount.destination));
    if (size.bytes <= bundle.tmpfs_size && size.inodes < tmpfs_inodes(bundle.tmpfs_size)) continue;
    warnings.push_back(fmt::format(
        "{}: the image has {} bytes in {} file{} there, more than its tmpfs of {} takes; raise "
        "size= and nr_inodes= of that mount in config.json",
        mount.destination, size.bytes, size.inodes, size.inodes == 1 ? "" : "s",
        bytes_text(bundle.tmpfs_size)));
  }
  return warnings;
}

}  // namespace intact::run
