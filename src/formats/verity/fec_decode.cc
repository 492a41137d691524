#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include <intact/block/target.h>
#include <intact/verity/fec.h>

#include "fec_rows.h"

namespace intact::verity {

Result<FecDecoder> FecDecoder::create(const FecGeometry& geometry,
                                      std::shared_ptr<const ByteSource> covered,
                                      std::shared_ptr<const ByteSource> parity,
                                      std::uint64_t offset) {
  TRY(block::check_range(covered->size(), 0, geometry.covered_size()).context("FEC coverage"));
  TRY(block::check_range(parity->size(), offset, geometry.size()).context("FEC area"));
  return FecDecoder(geometry, std::move(covered), std::move(parity), offset);
}

FecDecoder::FecDecoder(const FecGeometry& geometry, std::shared_ptr<const ByteSource> covered,
                       std::shared_ptr<const ByteSource> parity, std::uint64_t offset)
    : geometry_(geometry),
      covered_(std::move(covered)),
      parity_(std::move(parity)),
      offset_(offset),
      code_(geometry.roots()) {}

Result<Bytes> FecDecoder::mend(std::uint64_t block, const Judge& judge,
                               const Accept& accept) const {
  TRY(block::check_range(geometry_.blocks(), block, 1));
  const std::size_t columns = geometry_.block_size();
  const unsigned roots = geometry_.roots();
  const std::uint64_t row_blocks = geometry_.row_size() / columns;
  const auto wanted = static_cast<unsigned>(block / row_blocks);
  const std::uint64_t column = block % row_blocks * columns;

  Bytes content(kCodewordSize * columns);
  const auto content_of = [&](unsigned row) {
    return MutableByteSpan(content).subspan(row * columns, columns);
  };
  std::vector<unsigned> bad;
  std::vector<unsigned> unknown;
  for (unsigned row = 0; row < geometry_.rows(); ++row) {
    const bool readable = bool(read_row(geometry_, *covered_, row, column, content_of(row)));
    if (!readable) std::ranges::fill(content_of(row), std::byte{0});
    if (!readable || row == wanted) bad.push_back(row);
  }
  Bytes parity(roots * columns);
  TRY(parity_->read(offset_ + column * roots, parity));
  for (unsigned root = 0; root < roots; ++root) {
    for (std::size_t c = 0; c < columns; ++c)
      content[(geometry_.rows() + root) * columns + c] = parity[c * roots + root];
  }

  Bytes attempt;
  using Errors = ReedSolomon::Errors;
  const auto mends = [&](std::span<const unsigned> erased, Errors errors = Errors::find) {
    if (erased.size() > roots) return false;
    attempt = content;
    std::array<std::byte*, kCodewordSize> rows;
    for (unsigned row = 0; row < kCodewordSize; ++row) rows[row] = attempt.data() + row * columns;
    code_.correct(rows, erased, columns, errors);
    return accept(ByteSpan(attempt).subspan(wanted * columns, columns));
  };
  // Mostly all else is good, which takes longer to find out than to mend.
  bool done = mends(bad, Errors::ignore);
  for (unsigned row = 0; row < geometry_.rows() && !done; ++row) {
    const std::uint64_t number = row * row_blocks + block % row_blocks;
    if (number >= geometry_.blocks() || std::ranges::find(bad, row) != bad.end()) continue;
    const State state = judge(number, content_of(row));
    if (state == State::bad) bad.push_back(row);
    if (state == State::unknown) unknown.push_back(row);
  }
  for (unsigned root = 0; root < roots; ++root) unknown.push_back(geometry_.rows() + root);
  // What is known to be bad is worth twice as much as what has to be found. Where too much is bad,
  // it may still not be in the same codewords.
  done = done || mends(bad) || (bad.size() > 1 && mends(std::span(&wanted, 1))) || mends({});
  // Perhaps a whole block more is bad: which of them, the digest tells.
  for (std::size_t i = 0; i < unknown.size() && !done; ++i) {
    std::vector<unsigned> erased = bad;
    erased.push_back(unknown[i]);
    done = mends(erased);
  }
  if (!done)
    return Error(
        ErrorKind::tampered,
        fmt::format("beyond what {} FEC roots can mend ({} bad blocks share its codewords)", roots,
                    bad.size()));
  attempt.erase(attempt.begin(), attempt.begin() + static_cast<std::ptrdiff_t>(wanted * columns));
  attempt.resize(columns);
  return attempt;
}

}  // namespace intact::verity
