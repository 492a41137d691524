#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/base/unique_fd.h>
#include <intact/fsverity/params.h>

namespace intact::fsverity {

/// A data block that is not what the digest says.
struct DamagedBlock {
  std::uint64_t block;   ///< index of the data block
  std::uint64_t offset;  ///< its first byte in the file
  std::string reason;    ///< continues the sentence "block N ..."
};

/// Told of bad blocks as reads meet them. Called by the reading thread, so perhaps by several at
/// once; must not call back into the file.
using DamageSink = std::function<void(const DamagedBlock&)>;

/// Told now and then how many bytes of a file have been scanned, from its beginning; never less
/// than before, and at last how many there were. Called by the scanning thread.
using ScanProgress = std::function<void(std::uint64_t done)>;

/// Random verified access to a file that anyone may change at any time. Every block is checked
/// against the Merkle tree, up to the file's digest, at every read; only hash blocks that have been
/// verified once are kept, in at most 64 MiB of memory. Thread-safe.
///
/// A hash block of the stored tree that does not verify is never used: it is computed anew from the
/// data that it covers, and if that does not lead to the digest either, this data is damaged.
class VerifiedFile final : public ByteSource {
 public:
  /// How the digest was made, but for the algorithm, which the digest itself names.
  struct Layout {
    std::uint32_t block_size = kDefaultBlockSize;
    Bytes salt = {};
  };

  /// `tree`: MerkleTree::blocks of the file, not trusted, read as needed, or null: then one pass
  /// over the data is made here and compared with the digest. Files of at most one block need no
  /// tree and no pass. tampered when the size is not `expected_size` or the pass gives another
  /// digest; the sink is then told of block 0.
  static Result<std::unique_ptr<VerifiedFile>> open(UniqueFd data, std::uint64_t expected_size,
                                                    const Digest& digest,
                                                    std::shared_ptr<const ByteSource> tree,
                                                    DamageSink sink = {});
  static Result<std::unique_ptr<VerifiedFile>> open(UniqueFd data, std::uint64_t expected_size,
                                                    const Digest& digest,
                                                    std::shared_ptr<const ByteSource> tree,
                                                    DamageSink sink, const Layout& layout);
  ~VerifiedFile() override;

  std::uint64_t size() const override;

  /// All or nothing: if any block that the range touches is bad or missing, the error is tampered,
  /// the sink hears of every bad block (once in the life of this object for each) and `out` is
  /// cleared. A device that fails to read gives io.
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;

  /// Reads everything and lists every bad block, in order; does not call the sink. A block that the
  /// device cannot read is bad. Blocks missing at the end are one entry, and so are excess bytes,
  /// and so is a run of blocks of which only the sum can be told, their stored hashes being damaged
  /// as well. io only when nothing can be said about the file at all.
  /// `progress` may be empty.
  Result<std::vector<DamagedBlock>> scan(const ScanProgress& progress = {}) const;

  /// How many hash blocks of the stored tree have been refused so far: it should be written anew.
  std::uint64_t refused_hash_blocks() const;

  std::uint32_t block_size() const;  ///< bytes

 private:
  class Impl;
  explicit VerifiedFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Opens and scans: what open() refuses as tampered becomes an entry of the list as well.
Result<std::vector<DamagedBlock>> scan_file(UniqueFd data, std::uint64_t expected_size,
                                            const Digest& digest,
                                            std::shared_ptr<const ByteSource> tree,
                                            const ScanProgress& progress = {});

}  // namespace intact::fsverity
