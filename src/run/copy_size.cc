#include <set>

#include <fmt/format.h>

#include <intact/run/bundle.h>

#include "directory_piece.h"
#include "tree_path.h"

namespace intact::run {
namespace {

using tree::NodeId;

constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kMaxDepth = 256;  // as copy_up()

struct CopySize {
  std::uint64_t bytes = 0, inodes = 0;
};

/// What a copy of the directory takes in a tmpfs; stops once it has more than `max_inodes`, which
/// limits the memory that this takes as well.
Result<CopySize> measure(const tree::FileTree& tree, NodeId top, std::uint64_t max_inodes) {
  struct Rest {
    NodeId directory;
    std::uint64_t cookie;
    std::size_t depth;
  };
  CopySize size;
  std::set<NodeId> seen;  // files with several names
  std::vector<Rest> rests{{top, 0, 1}};
  while (!rests.empty()) {
    const Rest rest = rests.back();
    rests.pop_back();
    if (rest.depth > kMaxDepth)
      return Error(ErrorKind::limit, fmt::format("more than {} levels of directories", kMaxDepth));
    const DirectoryPiece piece = TRY(list_piece(tree, rest.directory, rest.cookie));
    // Below its directories, so that these are done with before there are more of them.
    if (!piece.last) rests.push_back({rest.directory, piece.next, rest.depth});
    for (const auto& [name, node] : piece.entries) {
      const tree::Attributes attributes = TRY(tree.attributes(node));
      // A further name costs as much.
      if (++size.inodes > max_inodes) return size;
      if (attributes.is_directory()) rests.push_back({node, 0, rest.depth + 1});
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
    // One of the tmpfs's inodes is its own directory.
    const std::uint64_t max_inodes = tmpfs_inodes(bundle.tmpfs_size) - 1;
    const CopySize size = TRY(measure(tree, *node, max_inodes).context(mount.destination));
    if (size.bytes <= bundle.tmpfs_size && size.inodes <= max_inodes) continue;
    const std::string has = size.inodes > max_inodes
                                ? fmt::format("more than {} files", max_inodes)
                                : fmt::format("{} bytes in {} file{}", size.bytes, size.inodes,
                                              size.inodes == 1 ? "" : "s");
    warnings.push_back(
        fmt::format("{}: the image has {} there, more than its tmpfs of {} takes; raise size= and "
                    "nr_inodes= of "
                    "that mount in config.json",
                    mount.destination, has, bytes_text(bundle.tmpfs_size)));
  }
  return warnings;
}

}  // namespace intact::run
