#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/progress.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/block/device.h>
#include <intact/verity/reed_solomon.h>

namespace intact::verity {

/// The layout of dm-verity's forward error correction. The covered bytes (the data blocks, the hash
/// area, and what follows it on its device) are cut into 255 - roots rows of equal length, padded
/// with zeros; the bytes of one column are the message of one codeword, whose `roots` parity bytes
/// follow those of the previous column. So damage in one block affects each codeword at most once.
class FecGeometry {
 public:
  struct Params {
    unsigned roots = kMinRoots;       ///< parity bytes of each codeword
    std::uint32_t block_size = 4096;  ///< bytes; data and hash blocks have the same
    std::uint64_t blocks = 0;         ///< covered blocks
  };
  /// invalid_argument: a number is out of range.
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

/// Computes the parity of `covered` (covered_size() bytes) and writes it to `out` from byte
/// `offset` on. Uses `threads` threads (0: one for each processor), some MiB of memory for each.
Result<void> encode_fec(const FecGeometry& geometry, const ByteSource& covered, block::Device& out,
                        std::uint64_t offset, unsigned threads = 0, const Progress& progress = {});

/// Corrects blocks from the blocks and the parity that share codewords with them. Thread-safe.
class FecDecoder {
 public:
  enum class State { good, bad, unknown };
  /// What is known about a covered block with this content.
  using Judge = std::function<State(std::uint64_t block, ByteSpan content)>;
  /// Whether this is the content that the block must have, by its digest.
  using Accept = std::function<bool(ByteSpan content)>;

  /// The parity begins at byte `offset` of `parity`. malformed: a source is too small.
  static Result<FecDecoder> create(const FecGeometry& geometry,
                                   std::shared_ptr<const ByteSource> covered,
                                   std::shared_ptr<const ByteSource> parity, std::uint64_t offset);

  /// The content of block `block` that `accept` accepts; tampered if none was found. Correctable
  /// are up to roots() blocks that are known to be bad or cannot be read, and roots() / 2 bytes in
  /// each codeword whose place is not known, and one whole block whose place is not known if fewer
  /// than roots() others are bad. Takes up to 512 blocks of memory.
  Result<Bytes> correct(std::uint64_t block, const Judge& judge, const Accept& accept) const;

  /// Blocks are in one group if their numbers are equal modulo groups(): they share all their
  /// codewords, at most one block of each row.
  std::uint64_t groups() const { return geometry_.row_size() / geometry_.block_size(); }
  struct Wanted {
    std::uint64_t block;  ///< known to be bad
    Accept accept;
  };
  /// Corrects several blocks of one group, which are decoded together: the time hardly depends on
  /// how many there are. One result for each; none where the content was not found.
  Result<std::vector<std::optional<Bytes>>> correct(std::span<const Wanted> wanted,
                                                    const Judge& judge) const;

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
