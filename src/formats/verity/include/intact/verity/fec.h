#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/block/target.h>
#include <intact/verity/reed_solomon.h>

namespace intact::verity {

/// The layout of dm-verity's forward error correction. What is covered (the data blocks, the hash
/// area, and what follows it on its device) is cut into 255 - roots rows of equal length, padded
/// with zeros; the bytes of one column are the message of one codeword, whose `roots` parity bytes
/// follow those of the column before. So damage in one block meets each codeword at most once.
class FecGeometry {
 public:
  struct Params {
    unsigned roots = kMinRoots;       ///< parity bytes of each codeword
    std::uint32_t block_size = 4096;  ///< bytes; data and hash blocks have the same
    std::uint64_t blocks = 0;         ///< covered blocks
  };
  /// invalid_argument when a number is out of range.
  static Result<FecGeometry> create(const Params& params);

  unsigned roots() const { return params_.roots; }
  std::uint32_t block_size() const { return params_.block_size; }
  std::uint64_t blocks() const { return params_.blocks; }
  std::uint64_t covered_size() const { return params_.blocks * params_.block_size; }  ///< bytes
  unsigned rows() const { return kCodewordSize - params_.roots; }
  std::uint64_t row_size() const { return row_size_; }              ///< bytes: whole blocks
  std::uint64_t size() const { return row_size_ * params_.roots; }  ///< bytes of parity

 private:
  FecGeometry(const Params& params, std::uint64_t row_size)
      : params_(params), row_size_(row_size) {}
  Params params_;
  std::uint64_t row_size_;
};

/// Told how many bytes are done, from one thread at a time.
using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Computes the parity of `covered` (covered_size() bytes) and writes it to `out` from byte
/// `offset` on. Uses `threads` threads (0: one for each processor), some MiB of memory for each.
Result<void> encode_fec(const FecGeometry& geometry, const ByteSource& covered,
                        block::BlockTarget& out, std::uint64_t offset, unsigned threads = 0,
                        const Progress& progress = {});

/// Mends blocks out of the blocks and the parity that share codewords with them. Thread-safe.
class FecDecoder {
 public:
  enum class State { good, bad, unknown };
  /// What is known of a covered block with this content.
  using Judge = std::function<State(std::uint64_t block, ByteSpan content)>;
  /// Whether this is what the block must hold: its digest decides.
  using Accept = std::function<bool(ByteSpan content)>;

  /// `parity` begins at byte `offset` of its source. Sources of the wrong size: malformed.
  static Result<FecDecoder> create(const FecGeometry& geometry,
                                   std::shared_ptr<const ByteSource> covered,
                                   std::shared_ptr<const ByteSource> parity, std::uint64_t offset);

  /// The content of block `block` that `accept` accepts; tampered if none was found. Up to roots()
  /// blocks that are known to be bad (or cannot be read) and roots() / 2 bytes in each codeword
  /// that nobody knows of can be mended, and one whole block that nobody knows of if there are less
  /// than roots() others. Takes some 512 blocks of memory.
  Result<Bytes> mend(std::uint64_t block, const Judge& judge, const Accept& accept) const;

 private:
  FecDecoder(const FecGeometry& geometry, std::shared_ptr<const ByteSource> covered,
             std::shared_ptr<const ByteSource> parity, std::uint64_t offset);

  FecGeometry geometry_;
  std::shared_ptr<const ByteSource> covered_;
  std::shared_ptr<const ByteSource> parity_;
  std::uint64_t offset_;
  ReedSolomon code_;
};

}  // namespace intact::verity
