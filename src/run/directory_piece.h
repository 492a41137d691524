#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <intact/base/result.h>
#include <intact/tree/file_tree.h>

namespace intact::run {

/// Some entries of a directory. The whole of one may not fit into memory: its author chooses how
/// many names it has.
struct DirectoryPiece {
  std::vector<std::pair<std::string, tree::NodeId>> entries;
  std::uint64_t next = 0;  ///< the cookie for the piece after this
  bool last = true;        ///< whether nothing comes after this
};

/// At most as many entries are in a piece.
inline constexpr std::size_t kPieceEntries = 64;

/// The entries after `cookie` (0: from the start). Errors: those of the tree.
Result<DirectoryPiece> list_piece(const tree::FileTree& tree, tree::NodeId directory,
                                  std::uint64_t cookie);

}  // namespace intact::run
