#include "directory_piece.h"

namespace intact::run {

Result<DirectoryPiece> list_piece(const tree::FileTree& tree, tree::NodeId directory,
                                  std::uint64_t cookie) {
  DirectoryPiece piece;
  TRY(tree.list(directory, cookie, [&](const tree::DirectoryEntry& entry, std::uint64_t next) {
    if (piece.entries.size() == kPieceEntries) return piece.last = false;
    piece.entries.emplace_back(entry.name, entry.node);
    piece.next = next;
    return true;
  }));
  return piece;
}

}  // namespace intact::run
