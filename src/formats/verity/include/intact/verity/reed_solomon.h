#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <intact/base/bytes.h>

namespace intact::verity {

/// Symbols of a codeword: one byte each.
constexpr unsigned kCodewordSize = 255;
constexpr unsigned kMinRoots = 2;
constexpr unsigned kMaxRoots = 24;

/// RS(255, 255 - roots) over GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1, generator 2 and
/// first root 2^0, systematic, message first, highest power first: the code of dm-verity's FEC.
///
/// Works on many codewords at once: symbol j of all of them is in row j, codeword c in column c.
/// Immutable after construction; thread-safe.
class ReedSolomon {
 public:
  explicit ReedSolomon(unsigned roots);  ///< kMinRoots to kMaxRoots

  unsigned roots() const { return roots_; }
  unsigned message_size() const { return kCodewordSize - roots_; }

  /// `message`: message_size() rows; `parity`: roots() rows; all of `columns` bytes.
  void encode(std::span<const std::byte* const> message, std::span<std::byte* const> parity,
              std::size_t columns) const;

  /// What to do about errors outside of the erased rows. To find them takes a hundred times as long
  /// as to ignore them. `probe` finds them, but stops after some columns without success.
  enum class Errors { find, probe, ignore };

  /// Corrects codewords in place. `rows`: kCodewordSize rows of `columns` bytes, message then
  /// parity. `erased`: distinct rows that are suspected; they may be good. In each column e
  /// erasures and t errors elsewhere are corrected where 2 t + e <= roots(). Columns beyond that
  /// stay as they are, or become another codeword: compare the result with a digest. With more than
  /// roots() erasures nothing is done.
  void correct(std::span<std::byte* const> rows, std::span<const unsigned> erased,
               std::size_t columns, Errors errors = Errors::find) const;

  /// correct() in two steps, for several attempts at the same codewords. The syndromes are roots()
  /// rows of `columns` bytes, one after the other.
  Bytes syndromes(std::span<const std::byte* const> rows, std::size_t columns) const;
  /// What to add (exclusive or) to each row; empty for rows that stay as they are.
  using Corrections = std::array<Bytes, kCodewordSize>;
  Corrections solve(ByteSpan syndromes, std::span<const unsigned> erased, std::size_t columns,
                    Errors errors = Errors::find) const;

 private:
  unsigned roots_;
  std::vector<unsigned char> encode_tables_;  // expanded for the vector kernels
  std::vector<unsigned char> syndrome_tables_;
};

}  // namespace intact::verity
