#include <bit>
#include <utility>

#include <fmt/format.h>

#include <intact/integrity/manage.h>

namespace intact::integrity {
namespace {

Error wrong(std::string message) {
  return {ErrorKind::invalid_argument, std::move(message)};
}

Result<void> check_numbers(const StatedParams& stated) {
  if (stated.journal_size && *stated.journal_size % kSectorSize != 0)
    return wrong("--journal-size: not a multiple of 512 bytes");
  if (stated.journal_size && !std::in_range<std::uint32_t>(*stated.journal_size / kSectorSize))
    return wrong("--journal-size: too large");
  if (stated.sector_size && (!std::has_single_bit(*stated.sector_size) ||
                             *stated.sector_size < 512 || *stated.sector_size > 4096))
    return wrong(fmt::format(
        "--sector-size {}: Invalid block_size argument; pass 512, 1024, 2048 or 4096 bytes",
        *stated.sector_size));
  if (stated.journal_watermark > 100)
    return wrong(
        fmt::format("--journal-watermark {}: Invalid argument: journal_watermark is a percentage",
                    stated.journal_watermark));
  if (stated.tag_size == 0u) return wrong("--tag-size 0: Invalid tag size; pass 1 to 255 bytes");
  return {};
}

}  // namespace

Result<Params> StatedParams::params() const {
  TRY(check_numbers(*this));
  Params params{.start = start,
                .tag_size = tag_size,
                .block_size = sector_size.value_or(512),
                .interleave_sectors = interleave_sectors,
                .fix_padding = !legacy_padding,
                .fix_hmac = !legacy_hmac,
                .buffer_sectors = buffer_sectors,
                .journal_watermark = journal_watermark,
                .commit_time = journal_commit_time,
                .sectors_per_bit = bitmap_sectors_per_bit,
                .bitmap_flush_interval = bitmap_flush_time,
                .recalculate = recalculate || recalculate_reset,
                .reset_recalculate = recalculate_reset,
                .legacy_recalculate = legacy_recalculate,
                .legacy_hmac = legacy_hmac,
                .allow_discards = allow_discards};
  if (journal_size)
    params.journal_sectors = static_cast<std::uint32_t>(*journal_size / kSectorSize);
  if (bitmap_mode) params.mode = Mode::bitmap;
  if (no_journal) params.mode = Mode::direct;
  if (recovery_mode) params.mode = Mode::recovery;
  if (in_line) params.mode = Mode::in_line;
  return params;
}

}  // namespace intact::integrity
