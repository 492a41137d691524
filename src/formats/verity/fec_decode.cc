#include <algorithm>
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

Result<Bytes> FecDecoder::mend(std::uint64_t block, const IsBad& is_bad,
                               const Accept& accept) const {
  TRY(block::check_range(geometry_.blocks(), block, 1));
  const std::size_t columns = geometry_.block_size();
  const unsigned roots = geometry_.roots();
  const std::uint64_t row_blocks = geometry_.row_size() / columns;
  const auto wanted = static_cast<unsigned>(block / row_blocks);
  const std::uint64_t column = block % row_blocks * columns;

  Bytes content(kCodewordSize * columns);
  std::vector<unsigned> suspects;
  for (unsigned row = 0; row < geometry_.rows(); ++row) {
    const MutableByteSpan bytes(content.data() + row * columns, columns);
    const bool readable = bool(read_row(geometry_, *covered_, row, column, bytes));
    if (!readable) std::fill(bytes.begin(), bytes.end(), std::byte{0});
    const std::uint64_t number = row * row_blocks + block % row_blocks;
    if (!readable || row == wanted || (number < geometry_.blocks() && is_bad(number, bytes)))
      suspects.push_back(row);
  }
  Bytes parity(roots * columns);
  TRY(parity_->read(offset_ + column * roots, parity));
  for (unsigned root = 0; root < roots; ++root)
    for (std::size_t c = 0; c < columns; ++c)
      content[(geometry_.rows() + root) * columns + c] = parity[c * roots + root];

  // Suspects are worth twice as much as errors that have to be found. Where there are too many of
  // them, or where one that is not checkable is bad as well, finding may still succeed.
  const std::vector<std::vector<unsigned>> guesses = {suspects, {wanted}, {}};
  for (const auto& erased : guesses) {
    if (erased.size() > roots) continue;
    Bytes attempt = content;
    std::vector<std::byte*> rows;
    for (unsigned row = 0; row < kCodewordSize; ++row)
      rows.push_back(attempt.data() + row * columns);
    code_.correct(rows, erased, columns);
    const ByteSpan mended(rows[wanted], columns);
    if (accept(mended)) return Bytes(mended.begin(), mended.end());
  }
  return Error(ErrorKind::tampered,
               fmt::format("beyond what {} FEC roots can mend ({} bad blocks share its codewords)",
                           roots, suspects.size()));
}

}  // namespace intact::verity
