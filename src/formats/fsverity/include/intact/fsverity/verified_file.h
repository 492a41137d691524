#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/damage.h>
#include <intact/base/digest.h>
#include <intact/base/progress.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/base/unique_fd.h>
#include <intact/fsverity/hash_cache.h>
#include <intact/fsverity/params.h>

namespace intact::fsverity {

/// Random verified access to a file that anyone may change at any time. Every block is checked
/// against the Merkle tree, up to the file's digest, at every read. Only hash blocks that have been
/// verified are kept, in a cache that many files may share. Thread-safe.
///
/// A hash block of the stored tree that does not verify is never used: it is computed again from
/// the data that it covers, and if the result does not lead to the digest either, this data is
/// damaged.
///
/// Damage is told of with a range, one block or a run of them, and without an object: what the file
/// is called is for the caller to add.
class VerifiedFile final : public ByteSource {
 public:
  /// How the digest was made, except for the algorithm, which the digest itself names.
  struct Layout {
    std::uint32_t block_size = kDefaultBlockSize;
    Bytes salt = {};
  };

  /// `tree`: MerkleTree::blocks of the file, not trusted, read as needed. Null: one pass over the
  /// data is made here and compared with the digest. Files of at most one block need neither tree
  /// nor pass. `cache`: null gives the file a cache of its own, of the default size.
  /// tampered when the size is not `expected_size` or the pass results in another digest; the sink
  /// is then told of block 0.
  static Result<std::unique_ptr<VerifiedFile>> open(UniqueFd data, std::uint64_t expected_size,
                                                    const Digest& digest,
                                                    std::shared_ptr<const ByteSource> tree,
                                                    DamageSink sink = {},
                                                    std::shared_ptr<HashCache> cache = {});
  static Result<std::unique_ptr<VerifiedFile>> open(UniqueFd data, std::uint64_t expected_size,
                                                    const Digest& digest,
                                                    std::shared_ptr<const ByteSource> tree,
                                                    DamageSink sink, const Layout& layout,
                                                    std::shared_ptr<HashCache> cache = {});
  ~VerifiedFile() override;

  std::uint64_t size() const override;

  /// All or nothing: if any block that the range touches is bad or missing, the error is tampered,
  /// the sink is told of every bad block (again only after hundreds of others) and `out` is
  /// cleared. A device that fails to read is an io error.
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;

  /// Reads everything and lists the bad blocks in order, at most 262144; the last entry then counts
  /// the others. Does not call the sink. A block that the device cannot read is bad. Blocks missing
  /// at the end are one entry, and so are excess bytes, and a run of blocks whose stored hashes are
  /// damaged as well. io only if nothing is known about the file. `progress` never goes
  /// back.
  Result<std::vector<Damage>> scan(const Progress& progress = {}) const;

  /// How many hash blocks of the stored tree have been refused so far. If there are any, the tree
  /// should be written again.
  std::uint64_t refused_hash_blocks() const;

  std::uint32_t block_size() const;  ///< bytes

 private:
  class Impl;
  explicit VerifiedFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Opens and scans: what open() refuses as tampered becomes an entry of the list as well.
Result<std::vector<Damage>> scan_file(UniqueFd data, std::uint64_t expected_size,
                                      const Digest& digest, std::shared_ptr<const ByteSource> tree,
                                      const Progress& progress = {});

/// A verified file whose blocks are copied into private memory at their first use: each block is
/// read and hashed once and never read from the file again, so what is parsed is what was verified.
/// For metadata images. Memory is allocated as blocks are used, up to the size of the file.
/// Thread-safe.
class VerifiedMemory final : public ByteSource {
 public:
  /// limit for files over 64 GiB. Reads nothing yet.
  static Result<std::unique_ptr<VerifiedMemory>> open(std::unique_ptr<VerifiedFile> file);
  ~VerifiedMemory() override;

  std::uint64_t size() const override { return size_; }
  /// As VerifiedFile::read.
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;

  /// The verified bytes themselves; valid and unchanging as long as this object. A range beyond
  /// size() is malformed.
  Result<ByteSpan> view(std::uint64_t offset, std::size_t length) const;

  const VerifiedFile& file() const { return *file_; }

 private:
  VerifiedMemory(std::unique_ptr<VerifiedFile> file, std::byte* memory);
  Result<void> ensure(std::uint64_t first_block, std::uint64_t end_block) const;
  Result<void> load_blocks(std::uint64_t first_block, std::uint64_t end_block) const;
  bool is_loaded(std::uint64_t block) const;

  std::unique_ptr<VerifiedFile> file_;
  std::uint64_t size_;
  std::uint32_t block_size_;
  std::byte* memory_;                                     ///< size_ bytes, mapped; null when empty
  std::unique_ptr<std::atomic<std::uint64_t>[]> loaded_;  ///< a bit for each block
  /// Taken while blocks are copied in, so that no two threads write one block. Which one: by the
  /// block's place.
  mutable std::array<std::mutex, 16> loading_;
};

}  // namespace intact::fsverity
