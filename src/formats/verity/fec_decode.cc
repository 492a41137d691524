#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include <fmt/format.h>

#include <intact/block/device.h>
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

namespace {

/// One group: the codewords that its blocks share, and what is known of their rows.
struct Group {
  Bytes content;  ///< kCodewordSize rows
  std::size_t columns;
  std::vector<unsigned> bad;      ///< rows
  std::vector<unsigned> unknown;  ///< rows that nothing can be said of

  MutableByteSpan row(unsigned number) {
    return MutableByteSpan(content).subspan(number * columns, columns);
  }
  std::array<const std::byte*, kCodewordSize> rows() const {
    std::array<const std::byte*, kCodewordSize> pointers;
    for (unsigned i = 0; i < kCodewordSize; ++i) pointers[i] = content.data() + i * columns;
    return pointers;
  }
  bool is_bad(unsigned number) const { return std::ranges::find(bad, number) != bad.end(); }
};

/// Reads the rows; those that cannot be read are bad.
Result<Group> load(const FecGeometry& geometry, const ByteSource& covered, const ByteSource& parity,
                   std::uint64_t parity_offset, std::uint64_t column) {
  Group group{.content = Bytes(std::size_t{kCodewordSize} * geometry.block_size()),
              .columns = geometry.block_size(),
              .bad = {},
              .unknown = {}};
  for (unsigned row = 0; row < geometry.rows(); ++row) {
    if (read_row(geometry, covered, row, column, group.row(row))) continue;
    std::ranges::fill(group.row(row), std::byte{0});
    group.bad.push_back(row);
  }
  const unsigned roots = geometry.roots();
  Bytes parities(roots * group.columns);
  TRY(parity.read(parity_offset + column * roots, parities));
  for (unsigned root = 0; root < roots; ++root)
    for (std::size_t c = 0; c < group.columns; ++c)
      group.row(geometry.rows() + root)[c] = parities[c * roots + root];
  return group;
}

}  // namespace

Result<std::vector<std::optional<Bytes>>> FecDecoder::correct(std::span<const Wanted> wanted,
                                                              const Judge& judge) const {
  using Errors = ReedSolomon::Errors;
  std::vector<std::optional<Bytes>> results(wanted.size());
  if (wanted.empty()) return results;
  const std::uint64_t number = wanted[0].block % groups();
  for (const Wanted& one : wanted) {
    TRY(block::check_range(geometry_.blocks(), one.block, 1));
    if (one.block % groups() != number)
      return Error(ErrorKind::invalid_argument, "FEC: blocks of different groups");
  }
  const auto row_of = [this](const Wanted& one) {
    return static_cast<unsigned>(one.block / groups());
  };
  Group group = TRY(load(geometry_, *covered_, *parity_, offset_, number * geometry_.block_size()));
  for (const Wanted& one : wanted)
    if (!group.is_bad(row_of(one))) group.bad.push_back(row_of(one));

  const auto rows = group.rows();
  const Bytes syndromes = code_.syndromes(rows, group.columns);
  std::vector<std::size_t> left(wanted.size());
  std::iota(left.begin(), left.end(), std::size_t{0});
  const auto accept = [&](std::size_t i, const ReedSolomon::Corrections& corrections) {
    const unsigned row = row_of(wanted[i]);
    if (corrections[row].empty()) return false;  // as it is it was refused already
    Bytes content(group.row(row).begin(), group.row(row).end());
    for (std::size_t c = 0; c < content.size(); ++c) content[c] ^= corrections[row][c];
    if (!wanted[i].accept(content)) return false;
    results[i] = std::move(content);
    return true;
  };
  // Whether all are done now.
  const auto attempt = [&](std::span<const unsigned> erased, Errors errors) {
    if (erased.size() > geometry_.roots()) return false;
    const auto corrections = code_.solve(syndromes, erased, group.columns, errors);
    std::erase_if(left, [&](std::size_t i) { return accept(i, corrections); });
    return left.empty();
  };

  // Usually all other rows are good, which takes longer to find out than to correct the block.
  if (attempt(group.bad, Errors::ignore)) return results;
  for (unsigned row = 0; row < geometry_.rows(); ++row) {
    const std::uint64_t block = row * groups() + number;
    if (block >= geometry_.blocks() || group.is_bad(row)) continue;
    const State state = judge(block, group.row(row));
    if (state == State::bad) group.bad.push_back(row);
    if (state == State::unknown) group.unknown.push_back(row);
  }
  for (unsigned root = 0; root < geometry_.roots(); ++root)
    group.unknown.push_back(geometry_.rows() + root);
  // An erased row costs half as much as one that has to be found. Where too many rows are bad, the
  // damage may still be in different codewords.
  if (attempt(group.bad, Errors::find) || attempt({}, Errors::find)) return results;
  // With an even number of roots, naming one row adds nothing to that.
  if (geometry_.roots() % 2 != 0 && group.bad.size() > 1)
    for (const std::size_t i : std::vector<std::size_t>(left)) {
      const unsigned row = row_of(wanted[i]);
      if (attempt(std::span(&row, 1), Errors::probe)) return results;
    }
  // Perhaps one more whole block is bad; the digest tells which. If an even number of syndromes is
  // left, that block would have been found above.
  if (group.bad.size() < geometry_.roots() && (geometry_.roots() - group.bad.size()) % 2 != 0)
    for (const unsigned row : group.unknown) {
      std::vector<unsigned> erased = group.bad;
      erased.push_back(row);
      if (attempt(erased, Errors::probe)) return results;
    }
  return results;
}

Result<Bytes> FecDecoder::correct(std::uint64_t block, const Judge& judge,
                                  const Accept& accept) const {
  const Wanted wanted{.block = block, .accept = accept};
  auto results = TRY(correct(std::span(&wanted, 1), judge));
  if (results[0]) return *std::move(results[0]);
  return Error(ErrorKind::tampered,
               fmt::format("not correctable with {} FEC roots", geometry_.roots()));
}

}  // namespace intact::verity
