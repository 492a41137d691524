#include <algorithm>

#include <fmt/format.h>

#include <intact/crypto/random.h>

#include "open_device.h"

namespace intact::integrity {
namespace {

bool is_zero(ByteSpan bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

Error invalid(std::string what) {
  return Error(ErrorKind::invalid_argument, std::move(what));
}

/// "Tag size doesn't match ...". A superblock must not talk a device with a key into shorter tags.
Error wrong_tag_size(const Params& params, std::uint32_t stored, std::uint32_t wanted) {
  std::string text = fmt::format("Tag size doesn't match the information in superblock: {}, not {}",
                                 stored, wanted);
  if (params.keyed() && !params.tag_size && stored < wanted)
    text += fmt::format(
        "; shorter tags are easier to forge, and anyone can write this number: pass --tag-size {} "
        "only if the device was formatted with it",
        stored);
  return Error(ErrorKind::invalid_argument, std::move(text));
}

/// The parameters must agree with the superblock.
Result<void> match(const Params& params, const Superblock& superblock, std::uint32_t tag_size) {
  if (superblock.has(Superblock::in_line))
    return Error(ErrorKind::unsupported,
                 "Inline flag mismatch: this device keeps its tags in its own per-block metadata "
                 "(in-line mode), which files do not have");
  if (superblock.tag_size != tag_size) return wrong_tag_size(params, superblock.tag_size, tag_size);
  if (superblock.block_size() != params.block_size)
    return invalid(fmt::format("Block size doesn't match the information in superblock: {}, not {}",
                               superblock.block_size(), params.block_size));
  if (superblock.has(Superblock::have_journal_mac) != params.journal_mac.has_value())
    return Error(params.journal_mac ? ErrorKind::invalid_argument : ErrorKind::bad_secret,
                 params.journal_mac
                     ? "Journal mac mismatch: the device has none; leave out --journal-integrity"
                     : "Journal mac mismatch: the device has one; pass --journal-integrity and its "
                       "key");
  return {};
}

/// The journal MAC covers the superblock only with fix_hmac. Without it anyone who can write to the
/// device can change what the superblock says, or clear the flag to get there.
Result<void> check_superblock_is_covered(const Params& params, const Superblock& superblock) {
  if (!params.journal_mac || params.legacy_hmac || superblock.has(Superblock::fixed_hmac))
    return {};
  return Error(ErrorKind::unsupported,
               "the journal MAC does not cover the superblock (no fix_hmac), so anyone who can "
               "write to the device can change it; pass --integrity-legacy-hmac only if the device "
               "was formatted that way");
}

/// Anyone who can write the superblock could have valid tags made for any data. A MAC does not
/// change that altogether: an old superblock with its MAC can be put back. So with a key the caller
/// has to ask for the recalculation.
Result<void> check_recalculation(const Params& params, const Superblock& superblock,
                                 std::uint64_t provided) {
  if (!superblock.has(Superblock::recalculating)) return {};
  if (!params.internal_hash) return invalid("Recalculate can only be specified with internal_hash");
  const bool hash_key = !params.internal_hash->key_bytes().empty();
  const bool mac_key = params.journal_mac && !params.journal_mac->key_bytes().empty();
  const bool refused =
      superblock.has(Superblock::fixed_hmac) ? hash_key && !mac_key : hash_key || mac_key;
  if (superblock.recalc_sector >= provided || params.legacy_recalculate) return {};
  if (refused)
    return Error(
        ErrorKind::unsupported,
        "Recalculating with HMAC is disabled for security reasons: anyone who can write to "
        "the device can declare tags not calculated; pass --integrity-legacy-recalculate "
        "to trust that and the data");
  if (!hash_key || params.recalculate || params.reset_recalculate) return {};
  return Error(ErrorKind::unsupported,
               fmt::format("the tags from sector {} on are not calculated yet, so nothing verifies "
                           "the data there; pass --integrity-recalculate to trust the data and "
                           "calculate them",
                           superblock.recalc_sector));
}

/// The superblock on disk, or one made in memory for recovery without a superblock.
Result<Superblock> find_superblock(const Params& params, const Devices& devices,
                                   const IntegrityTarget::Options& options, Bytes& on_disk) {
  const bool zero = is_zero(on_disk);
  if (zero && options.format_zeroed && !options.read_only && params.mode != Mode::recovery) {
    TRY(format(params, devices));
    on_disk = TRY(read_superblock_bytes(params, devices.of_meta()));
  } else if (zero && params.mode != Mode::recovery) {
    return Error(ErrorKind::not_found, "The device is not initialized: it has no superblock");
  }
  const RawSuperblock raw = TRY(load<RawSuperblock>(on_disk, 0));
  if (params.mode == Mode::recovery && as_text(ByteSpan(on_disk).first(7)) != "integrt")
    return plan_format(params, devices.sizes());
  return parse_superblock(raw, devices.meta != nullptr);
}

/// The kernel is asked to map what the superblock says; here the superblock is the request.
Result<void> check_not_cut_short(const Superblock& superblock, const Layout& layout) {
  const std::uint64_t said = superblock.provided_data_sectors;
  if (layout.provided_data_sectors() >= said) return {};
  return Error(ErrorKind::malformed,
               fmt::format("Not enough provided sectors for requested mapping size: the superblock "
                           "says {}, but the device only has room for {}: it was cut short",
                           said, layout.provided_data_sectors()));
}

Result<void> check_layout_for_writing(const Superblock& superblock, const Layout& layout) {
  if ((superblock.flags & ~Superblock::kKnownFlags) != 0)
    return Error(
        ErrorKind::unsupported,
        fmt::format("the superblock has unknown flags ({:#x}): the device can only be read",
                    superblock.flags & ~Superblock::kKnownFlags));
  if (layout.corrupts_itself())
    return Error(ErrorKind::unsupported,
                 "in this layout Linux overwrites data with tags (interleave_sectors smaller than "
                 "the metadata buffer): the device can only be read");
  return {};
}

Result<void> check_below(const Params& params, const Devices& devices) {
  if (!devices.data->writable() || !devices.of_meta().writable())
    return invalid("the device below is read-only");
  const std::uint32_t data_unit = devices.data->block_size();
  const std::uint32_t meta_unit = devices.of_meta().block_size();
  if (data_unit > params.block_size || meta_unit > kSuperblockSize ||
      params.start * kSectorSize % meta_unit != 0)
    return invalid(fmt::format("the device below can only be written in blocks of {} bytes",
                               std::max(data_unit, meta_unit)));
  return {};
}

Result<void> check_writes(const Params& params, const Superblock& superblock, const Layout& layout,
                          const Devices& devices) {
  TRY(check_layout_for_writing(superblock, layout));
  return check_below(params, devices);
}

}  // namespace

Result<std::unique_ptr<Volume>> open_volume(const Params& params, const Devices& devices,
                                            const IntegrityTarget::Options& options) {
  const std::uint32_t tag_size = TRY(check_params(params, devices.meta != nullptr));
  TRY(check_mode(params));
  Bytes on_disk = options.superblock.empty() ? TRY(read_superblock_bytes(params, devices.of_meta()))
                                             : options.superblock;
  Superblock superblock = TRY(find_superblock(params, devices, options, on_disk));
  TRY(match(params, superblock, tag_size));
  const bool recovery = params.mode == Mode::recovery;
  if (!recovery) TRY(check_superblock_is_covered(params, superblock));
  if (!recovery) TRY(check_superblock_mac(params, superblock, on_disk));
  const Layout layout = TRY(Layout::create(superblock, params, devices.sizes()));
  if (!recovery && !options.may_shrink) TRY(check_not_cut_short(superblock, layout));
  if (!recovery && !options.read_only) {
    TRY(check_writes(params, superblock, layout, devices));
    if ((params.recalculate || params.reset_recalculate) &&
        !superblock.has(Superblock::recalculating)) {
      superblock.set(Superblock::recalculating, true);
      superblock.recalc_sector = 0;
    }
  }
  if (!recovery) TRY(check_recalculation(params, superblock, layout.provided_data_sectors()));
  auto store =
      TRY(SuperblockStore::create(params, devices.meta != nullptr, std::move(on_disk), superblock));
  auto volume =
      std::make_unique<Volume>(params, devices, layout, std::move(store), options.tag_cache_size);
  if (params.internal_hash) {
    TagHash::Shape shape{.block_size = layout.block_size(), .tag_size = layout.tag_size()};
    if (superblock.has(Superblock::fixed_hmac)) shape.salt = superblock.salt;
    volume->hash = TRY(TagHash::create(*params.internal_hash, shape));
  }
  return volume;
}

Result<Superblock> check_superblock_for_writing(const Volume& volume) {
  const Params& params = volume.params;
  Superblock superblock = volume.superblock->get();
  TRY(check_layout_for_writing(superblock, volume.layout));
  if (!(params.recalculate || params.reset_recalculate) ||
      superblock.has(Superblock::recalculating))
    return superblock;
  superblock.set(Superblock::recalculating, true);
  superblock.recalc_sector = 0;
  TRY(check_recalculation(params, superblock, volume.layout.provided_data_sectors()));
  return superblock;
}

Result<void> prepare_writing(const Volume& volume) {
  const Superblock superblock = TRY(check_superblock_for_writing(volume));
  TRY(check_below(volume.params, volume.devices));
  volume.superblock->change([&superblock](Superblock& value) { value = superblock; });
  return {};
}

Result<Superblock> read_superblock(const Params& params, const Devices& devices) {
  const Bytes on_disk = TRY(read_superblock_bytes(params, devices.of_meta()));
  if (is_zero(on_disk))
    return Error(ErrorKind::not_found, "The device is not initialized: it has no superblock");
  return parse_superblock(TRY(load<RawSuperblock>(on_disk, 0)), devices.meta != nullptr);
}

Result<std::uint64_t> provided_sectors(const Params& params, const Devices& devices) {
  Bytes on_disk = TRY(read_superblock_bytes(params, devices.of_meta()));
  const Superblock superblock = TRY(find_superblock(params, devices, {.read_only = true}, on_disk));
  return TRY(Layout::create(superblock, params, devices.sizes())).provided_data_sectors();
}

Result<Superblock> format(const Params& params, const Devices& devices) {
  Bytes on_disk = TRY(read_superblock_bytes(params, devices.of_meta()));
  if (!is_zero(on_disk))
    return Error(ErrorKind::exists,
                 "The device is not initialized, but not empty either: there is data where the "
                 "superblock goes");
  TRY(check_mode(params));
  Superblock superblock = TRY(plan_format(params, devices.sizes()));
  const Layout layout = TRY(Layout::create(superblock, params, devices.sizes()));
  TRY(check_writes(params, superblock, layout, devices));
  if (superblock.has(Superblock::fixed_hmac)) crypto::fill_random(superblock.salt);
  superblock.set(Superblock::recalculating, params.recalculate || params.reset_recalculate);
  TRY(check_recalculation(params, superblock, layout.provided_data_sectors()));
  auto store =
      TRY(SuperblockStore::create(params, devices.meta != nullptr, std::move(on_disk), superblock));
  Failure failure;
  MetaIo meta(devices.of_meta(), failure);
  const auto journal = TRY(JournalStore::create(params, superblock, layout, meta));
  TRY(journal->initialize(0, layout.journal_sections(), 0));
  TRY(store->save(meta));
  return store->get();
}

}  // namespace intact::integrity
