#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/endian.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/base/unique_fd.h>

namespace intact::store {

// The file trees/HEX: the Merkle trees of an image and of its objects, so that a read of one block
// of an object needs no pass over the rest. One file and not thousands: most trees are small.
//
//     header (64 bytes) | trees, in the order in which they were made | table, sorted by digest
//
// A tree is what fsverity::MerkleTree::blocks holds (SHA-256, 4096-byte blocks, no salt). Contents
// of at most one block have no tree and no entry. Nothing here is trusted: a wrong tree fails
// against the digest of the object when it is used.

struct RawPackHeader {
  std::array<char, 8> magic{};  ///< "IntactMT"
  le32 version;                 ///< 1
  le32 entry_size;              ///< 64: sizeof(RawPackEntry)
  le64 entry_count;             ///< entries of the table
  le64 table_offset;            ///< bytes from the start of the file; the table ends the file
  std::array<std::byte, 32> reserved{};  ///< zero
};
static_assert(sizeof(RawPackHeader) == 64 && alignof(RawPackHeader) == 1);

struct RawPackEntry {
  std::array<std::byte, 32> digest{};  ///< fs-verity digest of the content
  le64 data_size;                      ///< bytes of the content
  le64 offset;                         ///< of the tree, bytes from the start of the file
  le64 length;                         ///< of the tree, bytes; follows from data_size
  le64 reserved;                       ///< zero
};
static_assert(sizeof(RawPackEntry) == 64 && alignof(RawPackEntry) == 1);

/// Where a tree stands in its pack.
struct PackEntry {
  Digest digest;
  std::uint64_t data_size = 0;  ///< bytes
  std::uint64_t offset = 0;     ///< bytes
  std::uint64_t length = 0;     ///< bytes
};

/// Writes a pack: trees first, as they come, then the table. Thread-safe.
class PackWriter {
 public:
  /// `fd`: an empty file, open for writing.
  explicit PackWriter(UniqueFd fd) : fd_(std::move(fd)) {}

  /// Appends a tree; returns its offset. Small ones are gathered in memory.
  Result<std::uint64_t> append(ByteSpan tree);
  /// Writes the table of those trees that shall be found, and closes the file.
  Result<void> finish(std::vector<PackEntry> entries);

 private:
  Result<void> flush();

  std::mutex mutex_;
  UniqueFd fd_;
  Bytes pending_;
  std::uint64_t written_ = sizeof(RawPackHeader);  // the header comes last
};

/// Finds trees in a pack. Opens in constant time, looks up with a few small reads. Thread-safe.
class TreePack : public std::enable_shared_from_this<TreePack> {
 public:
  /// malformed when it is not a pack.
  static Result<std::shared_ptr<const TreePack>> open(UniqueFd file);

  /// Nothing when the pack has no such tree; malformed when its entry makes no sense.
  Result<std::optional<PackEntry>> find(const Digest& digest) const;
  /// The tree of an entry. Keeps the pack open.
  std::shared_ptr<const ByteSource> tree(const PackEntry& entry) const;

  std::uint64_t entry_count() const { return entry_count_; }
  Result<PackEntry> entry(std::uint64_t index) const;

 private:
  TreePack(std::unique_ptr<FileSource> file, std::uint64_t count, std::uint64_t table)
      : file_(std::move(file)), entry_count_(count), table_offset_(table) {}

  std::unique_ptr<FileSource> file_;
  std::uint64_t entry_count_;
  std::uint64_t table_offset_;
};

}  // namespace intact::store
