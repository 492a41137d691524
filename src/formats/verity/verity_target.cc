#include <algorithm>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/base/text.h>

#include "verity_target_impl.h"

namespace intact::verity {
namespace {

/// Bad blocks remembered so that the sink hears of each once. Beyond it may hear again.
constexpr std::size_t kMaxReported = 1 << 16;
/// Bytes of which one search for extents looks at the digests: with the usual sizes, 16 MiB of
/// hash blocks.
constexpr std::uint64_t kMaxExtentSearch = std::uint64_t{2} << 30;

}  // namespace

Result<std::unique_ptr<VerityTarget>> VerityTarget::open(const Params& params, ByteSpan root,
                                                         Devices devices,
                                                         std::optional<FecDecoder> fec,
                                                         Options options) {
  const Geometry geometry = TRY(Geometry::create(params));
  TRY(block::check_range(devices.data->size(), 0, geometry.data_size()).context("data area"));
  TRY(block::check_range(devices.hash->size(), devices.hash_offset, geometry.hash_size())
          .context("hash area"));
  auto tree = TRY(HashTree::create(params, geometry, root, devices.hash, devices.hash_offset,
                                   std::move(fec), options.cache_size));
  // Said now rather than at the first read: a wrong root hash is the usual mistake.
  if (!geometry.levels().empty()) {
    const int top = static_cast<int>(geometry.levels().size()) - 1;
    if (auto block = tree->block(top, 0, HashTree::Correction::yes); !block) {
      Error error = std::move(block).error();
      if (error.kind() != ErrorKind::tampered) return error;
      return Error(ErrorKind::tampered,
                   "the hash tree does not match this root hash (wrong root hash, device or "
                   "parameters, or a damaged top hash block)");
    }
  }
  return std::unique_ptr<VerityTarget>(new VerityTarget(
      std::make_unique<Impl>(std::move(tree), std::move(devices), std::move(options))));
}

VerityTarget::VerityTarget(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
VerityTarget::~VerityTarget() = default;

std::uint64_t VerityTarget::size() const {
  return impl_->geometry().data_size();
}

constexpr const char* kData = "data";
constexpr const char* kHash = "hash";

Area area_of(const Damage& damage) {
  return damage.object == kData ? Area::data : Area::hash;
}

std::string place_of(const Damage& damage) {
  return range_text(*damage.range, damage.object + " block");
}

Damage VerityTarget::Impl::damage_in(Area area, std::uint64_t first, std::uint64_t blocks,
                                     std::string reason) const {
  const bool is_data = area == Area::data;
  const std::uint64_t size = is_data ? geometry().data_block_size() : geometry().hash_block_size();
  return {.object = is_data ? kData : kHash,
          .range = DamagedRange{.first = first,
                                .count = blocks,
                                .offset = (is_data ? 0 : devices_.hash_offset) + first * size,
                                .bytes = blocks * size},
          .reason = std::move(reason)};
}

block::Limits VerityTarget::limits() const {
  return {.block_size = impl_->geometry().data_block_size()};
}

Result<void> VerityTarget::read(std::uint64_t offset, MutableByteSpan out) const {
  TRY(block::check_range(size(), offset, out.size()));
  auto done = impl_->read(offset, out);
  if (!done) std::ranges::fill(out, std::byte{0});
  return done;
}

Result<std::vector<Damage>> VerityTarget::scan(unsigned threads, const Progress& progress,
                                               const CorrectedSink& corrected) const {
  return impl_->scan(threads, progress, corrected);
}

Result<void> VerityTarget::extents(std::uint64_t offset, std::uint64_t length,
                                   const block::ExtentSink& sink) const {
  TRY(block::check_range(size(), offset, length));
  return impl_->extents(offset, length, sink);
}

/// Tells zeros only where a read returns them without a look at the data: everywhere else it has to
/// be read, since that is how damage is found.
Result<void> VerityTarget::Impl::extents(std::uint64_t offset, std::uint64_t length,
                                         const block::ExtentSink& sink) const {
  using block::ExtentKind;
  const std::uint64_t size = geometry().data_block_size();
  const std::uint64_t end = offset + std::min(length, kMaxExtentSearch);
  for (std::uint64_t at = offset; at < end;) {
    std::uint64_t stop = offset + length;
    ExtentKind kind = ExtentKind::data;
    if (data_.skips_zeros()) {
      const std::uint64_t first = at / size;
      const auto run = data_.zero_run(first, divide_up(end, size));
      // Where the tree is damaged a read says so.
      const std::uint64_t count = run ? run->first : 1;
      stop = std::min((first + count) * size, offset + length);
      if (run && run->second) kind = ExtentKind::zero;
    }
    if (!sink({.offset = at, .length = stop - at, .kind = kind})) return {};
    at = stop;
  }
  return {};
}

VerityTarget::Totals VerityTarget::totals() const {
  return impl_->totals();
}

std::vector<block::Counter> VerityTarget::counters() const {
  const Totals totals = impl_->totals();
  return {{"verified", totals.verified},
          {"corrupted", totals.corrupted},
          {"corrected", totals.corrected}};
}

std::string VerityTarget::dm_status() const {
  return impl_->totals().corrupted == 0 ? "V" : "C";
}

std::string VerityTarget::summary() const {
  const Totals totals = impl_->totals();
  if (totals.corrected == 0 && totals.corrupted == 0) return {};
  return fmt::format("{} verified, {} of damaged blocks, {} corrected",
                     counted(totals.verified, "block"), counted(totals.corrupted, "read"),
                     counted(totals.corrected, "read"));
}

VerityTarget::Totals VerityTarget::Impl::totals() const {
  return {.verified = data_.verified(),
          .corrupted = corrupted_.load(std::memory_order_relaxed),
          .corrected = corrected_.load(std::memory_order_relaxed) + tree_->corrected_hash_blocks()};
}

Result<void> VerityTarget::Impl::read(std::uint64_t offset, MutableByteSpan out) {
  if (out.empty()) return {};
  const std::uint64_t size = geometry().data_block_size();
  const std::uint64_t end = offset + out.size();
  Bytes partial;
  for (std::uint64_t at = offset; at < end;) {
    if (stopped_.load(std::memory_order_relaxed))
      return Error(ErrorKind::tampered, "stopped after damage was found");
    const std::uint64_t block = at / size;
    if (at % size == 0 && end - at >= size) {
      const std::uint64_t run = data_.run_length(block, end / size);
      TRY(read_blocks(block, out.subspan(at - offset, run * size)));
      at += run * size;
      continue;
    }
    partial.resize(size);
    TRY(read_blocks(block, partial));
    const std::uint64_t to = std::min(end, (block + 1) * size);
    std::copy_n(partial.begin() + static_cast<std::ptrdiff_t>(at % size), to - at,
                out.begin() + static_cast<std::ptrdiff_t>(at - offset));
    at = to;
  }
  return {};
}

/// Reads a run of whole blocks, checks them and corrects them if necessary.
Result<void> VerityTarget::Impl::read_blocks(std::uint64_t first, MutableByteSpan content) {
  const auto bad = data_.read_run(first, content);
  if (bad) return bad->empty() ? Result<void>() : settle(*bad, first, content);
  if (bad.error().kind() != ErrorKind::tampered)
    return Error(bad.error().kind(), bad.error().message(), bad.error().sys_errno());
  TRY(refuse(damage_in(Area::data, first, content.size() / geometry().data_block_size(),
                       "cannot be checked: " + bad.error().message())));
  return data_.read_raw(first, content);
}

Result<void> VerityTarget::Impl::settle(const std::vector<BadBlock>& bad, std::uint64_t first,
                                        MutableByteSpan content) {
  const std::size_t size = geometry().data_block_size();
  Result<void> outcome;
  for (const BadBlock& block : bad) {
    if (tree_->can_correct()) {
      if (const auto corrected = tree_->correct({Node::kData, block.block})) {
        std::ranges::copy(*corrected, content.subspan((block.block - first) * size, size).begin());
        corrected_.fetch_add(1, std::memory_order_relaxed);
        continue;
      }
    }
    // Continue after damage, so that all of it is reported.
    auto refused = refuse(damage_in(Area::data, block.block, 1, block.reason));
    if (outcome) outcome = std::move(refused);
  }
  return outcome;
}

/// What happens to a read that meets damage: an error, unless corruption is to be ignored.
Result<void> VerityTarget::Impl::refuse(const Damage& damage) {
  const DamagedRange& range = *damage.range;
  corrupted_.fetch_add(range.count, std::memory_order_relaxed);
  if (options_.on_corruption == OnCorruption::stop) stopped_ = true;
  {
    const std::lock_guard lock(reported_mutex_);
    const bool is_new =
        reported_.size() >= kMaxReported || reported_.emplace(area_of(damage), range.first).second;
    if (is_new && options_.on_damage) options_.on_damage(damage);
  }
  if (options_.on_corruption == OnCorruption::ignore) return {};
  return Error(ErrorKind::tampered,
               fmt::format("data block {} (byte {}) {}", range.first, range.offset, damage.reason));
}

}  // namespace intact::verity
