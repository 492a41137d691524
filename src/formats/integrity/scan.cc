#include <algorithm>
#include <mutex>

#include <intact/base/worker_pool.h>
#include <intact/integrity/inspect.h>

namespace intact::integrity {
namespace {

constexpr std::uint64_t kChunk = 1 << 20;  // bytes

/// Collects the findings of several threads.
class Findings {
 public:
  void add(Damage damage) {
    const std::lock_guard lock(mutex_);
    damaged_.push_back(std::move(damage));
  }

  void add_discarded(const Mismatch& range) {
    const std::lock_guard lock(mutex_);
    discarded_.push_back({.sector = range.sector, .sectors = range.sectors, .is_discarded = true});
  }

  /// Moves them to a report, in order and merged.
  void take_discarded(ScanReport& report) {
    if (discarded_.empty()) return;
    if (report.unprotected.empty()) report.why_unprotected = ScanReport::Why::discarded;
    auto& all = report.unprotected;
    all.insert(all.end(), discarded_.begin(), discarded_.end());
    std::ranges::sort(all, {}, &Unprotected::sector);
    std::vector<Unprotected> merged;
    for (const Unprotected& range : all) {
      if (range.is_discarded) report.checked -= range.sectors;
      Unprotected* const last = merged.empty() ? nullptr : &merged.back();
      if (last && last->sector + last->sectors == range.sector &&
          last->is_discarded == range.is_discarded)
        last->sectors += range.sectors;
      else
        merged.push_back(range);
    }
    all = std::move(merged);
  }

  /// In order, with neighbours of one kind merged.
  std::vector<Damage> take() {
    std::ranges::sort(damaged_, {}, [](const Damage& damage) { return damage.range->first; });
    std::vector<Damage> merged;
    for (Damage& damage : damaged_) {
      Damage* const last = merged.empty() ? nullptr : &merged.back();
      if (last && last->range->first + last->range->count == damage.range->first &&
          last->reason == damage.reason) {
        last->range->count += damage.range->count;
        last->range->bytes += damage.range->bytes;
      } else {
        merged.push_back(std::move(damage));
      }
    }
    return merged;
  }

 private:
  std::mutex mutex_;
  std::vector<Damage> damaged_;
  std::vector<Unprotected> discarded_;
};

/// Reads a partly unreadable range block by block. Mismatches are reported by the target.
Result<void> read_pieces(const IntegrityTarget& target, std::uint64_t offset,
                         MutableByteSpan buffer, Findings& findings) {
  const std::uint32_t block = target.block_size();
  for (; !buffer.empty(); offset += block, buffer = buffer.subspan(block)) {
    const auto read = target.read(offset, buffer.first(block));
    if (read || read.error().kind() == ErrorKind::tampered) continue;
    if (target.status().failure) return Error(read.error());
    findings.add(
        damaged_sectors(offset / kSectorSize, block / kSectorSize, read.error().message()));
  }
  return {};
}

Result<void> read_chunk(const IntegrityTarget& target, std::uint64_t offset, std::uint64_t length,
                        Findings& findings) {
  thread_local Bytes buffer(kChunk);
  const MutableByteSpan chunk = MutableByteSpan(buffer).first(length);
  const auto read = target.read(offset, chunk);
  if (read || read.error().kind() == ErrorKind::tampered) return {};
  return read_pieces(target, offset, chunk, findings);
}

Result<void> read_all(const IntegrityTarget& target, const Progress& progress, unsigned threads,
                      Findings& findings) {
  const std::uint64_t size = target.size();
  WorkerPool pool(threads);
  for (std::uint64_t offset = 0; offset < size && !pool.failed(); offset += kChunk) {
    if (progress) progress(offset, size);
    pool.submit([&, offset] {
      return read_chunk(target, offset, std::min(kChunk, size - offset), findings);
    });
  }
  TRY(pool.wait());
  if (progress) progress(size, size);
  return {};
}

ScanReport::Why why_unprotected(const Params& params, const Superblock& before) {
  using Why = ScanReport::Why;
  if (!params.internal_hash) return Why::no_hash;
  if (params.mode == Mode::recovery) return Why::recovery;
  if (before.has(Superblock::dirty_bitmap)) return Why::dirty_bitmap;
  return Why::recalculation;
}

void add_unprotected(const IntegrityTarget& target, ScanReport& report) {
  for (std::uint64_t offset = 0; offset < target.size();) {
    std::uint64_t length = target.size() - offset;
    if (!target.is_checked(offset, length)) {
      const Unprotected range{.sector = offset / kSectorSize, .sectors = length / kSectorSize};
      auto& list = report.unprotected;
      if (!list.empty() && list.back().sector + list.back().sectors == range.sector)
        list.back().sectors += range.sectors;
      else
        list.push_back(range);
      report.checked -= range.sectors;
    }
    offset += length;
  }
}

}  // namespace

Damage damaged_sectors(std::uint64_t first, std::uint64_t sectors, std::string reason) {
  return {.range = DamagedRange{.first = first,
                                .count = sectors,
                                .offset = first * kSectorSize,
                                .bytes = sectors * kSectorSize},
          .reason = std::move(reason)};
}

std::string_view name_of(ScanReport::Why why) {
  switch (why) {
    case ScanReport::Why::nothing:
      return "";
    case ScanReport::Why::no_hash:
      return "no-hash";
    case ScanReport::Why::recovery:
      return "recovery";
    case ScanReport::Why::recalculation:
      return "recalculation";
    case ScanReport::Why::dirty_bitmap:
      return "dirty-bitmap";
    case ScanReport::Why::discarded:
      return "discarded";
  }
  return "";
}

std::string_view explanation_of(ScanReport::Why why) {
  switch (why) {
    case ScanReport::Why::nothing:
      return "";
    case ScanReport::Why::no_hash:
      return "the device has no internal hash to check with";
    case ScanReport::Why::recovery:
      return "recovery mode checks nothing";
    case ScanReport::Why::recalculation:
      return "their tags have not been calculated yet";
    case ScanReport::Why::dirty_bitmap:
      return "the bitmap marks them as being written when the device was not closed";
    case ScanReport::Why::discarded:
      return "their tags say that they were discarded, which anyone who can write to the device "
             "can make them say";
  }
  return "";
}

std::uint64_t ScanReport::damaged_sectors() const {
  std::uint64_t sum = 0;
  for (const Damage& damage : damaged) sum += damage.range->count;
  return sum;
}

Result<ScanReport> scan(const Params& params, const Devices& devices, const Progress& progress,
                        unsigned threads) {
  Findings findings;
  // All damage is wanted, even if it is everything.
  IntegrityTarget::Options options{.read_only = true, .check_key = false, .background = false};
  options.on_mismatch = [&findings](const Mismatch& mismatch) {
    findings.add(damaged_sectors(mismatch.sector, mismatch.sectors, "fails its tag"));
  };
  options.on_discarded = [&findings](const Mismatch& range) { findings.add_discarded(range); };
  const auto target = TRY(IntegrityTarget::open(params, devices, std::move(options)));
  ScanReport report{.sectors = target->size() / kSectorSize,
                    .checked = target->size() / kSectorSize,
                    .journal_blocks = target->status().replayed_blocks,
                    .marked_regions = target->status().dirty_regions};
  add_unprotected(*target, report);
  if (!report.unprotected.empty())
    report.why_unprotected = why_unprotected(params, target->superblock());
  TRY(read_all(*target, progress, threads, findings));
  report.damaged = findings.take();
  findings.take_discarded(report);
  return report;
}

}  // namespace intact::integrity
