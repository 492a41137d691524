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

/// Looks for the contents of the wanted blocks of a group, by one attempt after another. An attempt
/// costs about as much for many blocks as for one, and may find only some of them.
class GroupRepair {
 public:
  using Errors = ReedSolomon::Errors;
  using Wanted = FecDecoder::Wanted;

  GroupRepair(const FecGeometry& geometry, const ReedSolomon& code, std::uint64_t groups,
              Group group, std::span<const Wanted> wanted)
      : geometry_(geometry),
        code_(code),
        groups_(groups),
        group_(std::move(group)),
        wanted_(wanted),
        results_(wanted.size()),
        left_(wanted.size()) {
    std::iota(left_.begin(), left_.end(), std::size_t{0});
    for (const Wanted& one : wanted)
      if (!group_.is_bad(row_of(one))) group_.bad.push_back(row_of(one));
    syndromes_ = code_.syndromes(group_.rows(), group_.columns);
  }

  /// Asks for the state of all rows that are not known to be bad. Parity cannot be judged.
  void judge_other_rows(const FecDecoder::Judge& judge) {
    const std::uint64_t number = wanted_[0].block % groups_;
    for (unsigned row = 0; row < geometry_.rows(); ++row) {
      const std::uint64_t block = row * groups_ + number;
      if (block >= geometry_.blocks() || group_.is_bad(row)) continue;
      const auto state = judge(block, group_.row(row));
      if (state == FecDecoder::State::bad) group_.bad.push_back(row);
      if (state == FecDecoder::State::unknown) group_.unknown.push_back(row);
    }
    for (unsigned root = 0; root < geometry_.roots(); ++root)
      group_.unknown.push_back(geometry_.rows() + root);
  }

  // Each of these returns whether all contents have been found now.

  /// All rows that are known to be bad are erased.
  bool erase_bad(Errors errors) { return erase(group_.bad, errors); }

  /// No row is erased: where too many are bad, the damage may be in different codewords.
  bool erase_none() { return erase({}, Errors::find); }

  /// Only the wanted row is erased. With an even number of roots this finds nothing more than
  /// erase_none().
  bool erase_one_each() {
    if (geometry_.roots() % 2 == 0 || group_.bad.size() <= 1) return false;
    for (const std::size_t i : std::vector<std::size_t>(left_)) {
      const unsigned row = row_of(wanted_[i]);
      if (erase(std::span(&row, 1), Errors::probe)) return true;
    }
    return false;
  }

  /// Perhaps one more whole block is bad; the digest tells which. If an even number of syndromes is
  /// left, erase_bad() has found such a block already.
  bool erase_one_more() {
    const std::size_t bad = group_.bad.size();
    if (bad >= geometry_.roots() || (geometry_.roots() - bad) % 2 == 0) return false;
    std::vector<unsigned> erased = group_.bad;
    erased.push_back(0);
    for (const unsigned row : group_.unknown) {
      erased.back() = row;
      if (erase(erased, Errors::probe)) return true;
    }
    return false;
  }

  std::vector<std::optional<Bytes>> take() { return std::move(results_); }

 private:
  unsigned row_of(const Wanted& one) const { return static_cast<unsigned>(one.block / groups_); }

  bool erase(std::span<const unsigned> rows, Errors errors) {
    if (rows.size() > geometry_.roots()) return false;
    const auto corrections = code_.solve(syndromes_, rows, group_.columns, errors);
    std::erase_if(left_, [&](std::size_t i) { return accept(i, corrections); });
    return left_.empty();
  }

  bool accept(std::size_t i, const ReedSolomon::Corrections& corrections) {
    const unsigned row = row_of(wanted_[i]);
    if (corrections[row].empty()) return false;  // as it is it was refused already
    Bytes content(group_.row(row).begin(), group_.row(row).end());
    for (std::size_t c = 0; c < content.size(); ++c) content[c] ^= corrections[row][c];
    if (!wanted_[i].accept(content)) return false;
    results_[i] = std::move(content);
    return true;
  }

  const FecGeometry& geometry_;
  const ReedSolomon& code_;
  std::uint64_t groups_;
  Group group_;
  std::span<const Wanted> wanted_;
  std::vector<std::optional<Bytes>> results_;
  std::vector<std::size_t> left_;  // of `wanted_`
  Bytes syndromes_;
};

}  // namespace

Result<std::vector<std::optional<Bytes>>> FecDecoder::correct(std::span<const Wanted> wanted,
                                                              const Judge& judge) const {
  using Errors = ReedSolomon::Errors;
  if (wanted.empty()) return std::vector<std::optional<Bytes>>();
  const std::uint64_t number = wanted[0].block % groups();
  for (const Wanted& one : wanted) {
    TRY(block::check_range(geometry_.blocks(), one.block, 1));
    if (one.block % groups() != number)
      return Error(ErrorKind::invalid_argument, "FEC: blocks of different groups");
  }
  GroupRepair repair(
      geometry_, code_, groups(),
      TRY(load(geometry_, *covered_, *parity_, offset_, number * geometry_.block_size())), wanted);
  // Usually all other rows are good, which takes longer to find out than to correct the block.
  if (repair.erase_bad(Errors::ignore)) return repair.take();
  repair.judge_other_rows(judge);
  // An erased row costs half as much as one that has to be found.
  static_cast<void>(repair.erase_bad(Errors::find) || repair.erase_none() ||
                    repair.erase_one_each() || repair.erase_one_more());
  return repair.take();
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
