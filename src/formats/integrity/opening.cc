#include <utility>

#include <intact/integrity/manage.h>

namespace intact::integrity {

Result<Opening> params_for_opening(Params given, std::optional<std::uint32_t> block_size,
                                   const Devices& devices) {
  Opening opening{.params = std::move(given)};
  Params& params = opening.params;
  if (block_size) params.block_size = *block_size;
  auto superblock = read_superblock(params, devices);
  const bool recovery = params.mode == Mode::recovery;
  if (!superblock) {
    if (recovery) return opening;
    return Error(superblock.error());
  }
  if (!recovery) {
    // What matters when a device is formatted is in the superblock by now.
    const Params defaults;
    params.journal_sectors = defaults.journal_sectors;
    params.interleave_sectors = defaults.interleave_sectors;
    params.fix_padding = defaults.fix_padding;
    params.fix_hmac = defaults.fix_hmac;
  }
  if (!params.tag_size && (recovery || !params.keyed())) params.tag_size = superblock->tag_size;
  if (!block_size) params.block_size = superblock->block_size();
  opening.superblock = *std::move(superblock);
  return opening;
}

std::vector<std::string> unchecked_trust(const Superblock& superblock, const Params& params) {
  std::vector<std::string> clauses;
  if (params.keyed() && params.legacy_recalculate && superblock.has(Superblock::dirty_bitmap))
    clauses.emplace_back(
        "the data in regions that the bitmap marks are trusted without a check "
        "(--integrity-legacy-recalculate)");
  if (params.keyed() && params.mode == Mode::recovery)
    clauses.emplace_back("no block is checked in recovery mode, despite the key");
  if (params.journal_mac && params.legacy_hmac && !superblock.has(Superblock::fixed_hmac))
    clauses.emplace_back("the superblock is trusted without a check (--integrity-legacy-hmac)");
  return clauses;
}

}  // namespace intact::integrity
