#include "open_device.h"

#include <algorithm>
#include <bit>
#include <utility>

#include <fmt/format.h>

#include "journal_scan.h"
#include "key_check.h"
#include "marked_regions.h"
#include "tag_compare.h"

namespace intact::integrity {
namespace {

/// Whether all blocks in the regions that the bitmap marks have their tags.
Result<void> check_marks(const OpenDevice& device) {
  const FailingBlocks failing = TRY(check_marked(*device.volume, *device.as_left.bitmap));
  if (!failing.first_sector) return {};
  return Error(
      ErrorKind::tampered,
      fmt::format("{} sectors (the first is {}) fail their tags in regions that the bitmap "
                  "marks: a crash interrupted writes to them, or somebody changed them; open "
                  "the device read-only, or pass --integrity-legacy-recalculate to trust the "
                  "data in the {} marked regions and give them new tags",
                  failing.sectors, *failing.first_sector, device.marked_regions));
}

/// From mode B to another mode all may have to be recalculated.
Result<void> check_can_leave_bitmap(const OpenDevice& device) {
  const Volume& volume = *device.volume;
  if (!device.as_left.dirty || volume.hash || volume.params.mode == Mode::bitmap) return {};
  return Error(ErrorKind::invalid_argument,
               "the device was in bitmap mode: its internal hash is required");
}

/// Brings a device from the state in which it was left to what its mode needs. Everything that can
/// be checked is checked before anything is written.
class Activation {
 public:
  Activation(OpenDevice& device, const IntegrityTarget::Options& options, const Waker& waker)
      : device_(device),
        volume_(*device.volume),
        options_(options),
        waker_(waker),
        left_(device.as_left) {}

  Result<void> run() {
    auto store =
        TRY(JournalStore::create(volume_.params, superblock(), volume_.layout, volume_.meta));
    TRY(store->find_page_size());
    device_.ring =
        std::make_unique<JournalRing>(volume_, std::move(store), options_.journal_memory);
    left_.dirty = superblock().has(Superblock::dirty_bitmap);
    if (!left_.dirty) TRY(load_journal());
    if (left_.dirty) TRY(load_bitmap());
    if (left_.bitmap) device_.marked_regions = left_.bitmap->count();
    const bool believes_marks = !volume_.params.keyed() || volume_.params.legacy_recalculate;
    const std::optional<RegionMap> believed = believes_marks ? left_.bitmap : std::nullopt;
    if (options_.check_key) TRY(check_key(volume_, ring(), believed));
    if (options_.read_only) return watch(believed);
    return begin_writing();
  }

  /// After run() for reading only, of this object or of an earlier one.
  Result<void> begin_writing() {
    if (left_.bitmap && volume_.params.keyed()) TRY(settle_marks());
    TRY(note_size());
    if (volume_.params.mode == Mode::bitmap) return begin_bitmap();
    return begin_journal();
  }

 private:
  Superblock superblock() const { return volume_.superblock->get(); }
  JournalRing& ring() { return *device_.ring; }

  template <typename Change>
  Result<void> save(Change change) {
    volume_.superblock->change(change);
    return volume_.superblock->save(volume_.meta);
  }
  static void restart(Superblock& superblock) {
    superblock.set(Superblock::recalculating, true);
    superblock.recalc_sector = 0;
  }

  Result<void> load_journal();
  Result<void> check_entries(std::uint32_t section, const SectionImage& image);
  Result<void> load_bitmap();
  Result<void> settle_marks();
  Result<void> note_size();
  Result<void> write_back_journal();
  Result<void> leave_bitmap();
  Result<void> begin_journal();
  Result<void> begin_bitmap();
  Result<RegionMap> take_dirty_bitmap();
  Result<RegionMap> make_clean_bitmap();
  Result<void> watch(std::optional<RegionMap> stale);

  unsigned wanted_granularity() const {
    const std::uint64_t per_bit = std::max<std::uint64_t>(1, volume_.params.sectors_per_bit);
    return volume_.layout.log2_sectors_per_bit(static_cast<unsigned>(std::bit_width(per_bit)) - 1);
  }
  unsigned stored_granularity() const {
    return superblock().log2_blocks_per_bitmap_bit + volume_.layout.log2_sectors_per_block();
  }

  OpenDevice& device_;
  Volume& volume_;
  const IntegrityTarget::Options& options_;
  const Waker& waker_;
  AsLeft& left_;
  bool settled_ = false;  // dirty, but every tag is known to be valid
};

Result<void> Activation::load_journal() {
  const JournalStore& store = ring().store();
  left_.journal = TRY(scan_journal(store));
  // Without entries the MACs still tell a wrong key.
  if (!left_.journal.has_entries && !volume_.params.journal_mac) return {};
  return for_replayed_sections(store, left_.journal,
                               [&](std::uint32_t section, SectionImage image) -> Result<void> {
                                 if (!left_.journal.has_entries) return {};
                                 TRY(check_entries(section, image));
                                 ring().adopt(section, std::move(image));
                                 ++device_.replayed_sections;
                                 return {};
                               });
}

Result<void> Activation::check_entries(std::uint32_t section, const SectionImage& image) {
  Bytes block(volume_.layout.block_size()), tag(volume_.layout.tag_size());
  for (std::uint32_t n = 0; n < volume_.layout.section().entries; ++n) {
    if (!image.used(n)) continue;
    const std::uint64_t sector = image.sector(n);
    if (sector % volume_.sector_of(1) != 0)
      return Error(ErrorKind::malformed,
                   fmt::format("invalid sector in journal: {} in section {}", sector, section));
    if (sector >= volume_.layout.provided_data_sectors()) continue;
    const bool first = device_.replayed_blocks++ == 0;
    if (!volume_.hash) continue;
    image.copy_block(n, block);
    volume_.hash->compute(volume_.block_of(sector), block, tag);
    if (equal_tags(tag, image.tag(n))) continue;
    const bool keyed = !volume_.params.internal_hash->key_bytes().empty();
    return Error(
        first && keyed ? ErrorKind::bad_secret : ErrorKind::tampered,
        fmt::format("sector {} fails its tag in section {} of the journal{}", sector, section,
                    first && keyed ? ": wrong key, or the journal was changed" : ""));
  }
  return {};
}

/// Reads what a crash in mode B left; sets every bit where that cannot be known.
Result<void> Activation::load_bitmap() {
  const unsigned stored = stored_granularity();
  const bool known = stored < 64 && volume_.layout.log2_sectors_per_bit(stored) == stored;
  if (known) TRY(RegionMap::check_size(volume_.layout, stored));
  left_.bitmap.emplace(volume_.layout, known ? stored : wanted_granularity());
  if (!known) {
    left_.bitmap->set_all();
    return {};
  }
  TRY(left_.bitmap->read(volume_.layout, volume_.meta));
  // The device has grown since: the new part has no tags yet.
  const std::uint64_t before = superblock().provided_data_sectors;
  if (before < volume_.layout.provided_data_sectors())
    left_.bitmap->set(left_.bitmap->region_of(before), left_.bitmap->regions() - 1);
  return {};
}

/// Anyone who can write to the device can set bits of the bitmap, and no MAC covers it. So with a
/// key a bit is never a reason to skip a check or to make a tag: the marked regions are verified
/// before the marks are dropped, unless the caller has said that their data are to be trusted.
Result<void> Activation::settle_marks() {
  if (volume_.params.reset_recalculate) return {};  // the caller wants new tags everywhere
  if (volume_.params.legacy_recalculate) {
    device_.retagged_sectors = TRY(retag_marked(volume_, *left_.bitmap));
  } else {
    TRY(check_marks(device_));
  }
  left_.bitmap.emplace(volume_.layout, left_.bitmap->log2_sectors());
  settled_ = true;
  return {};
}

Result<void> Activation::note_size() {
  const std::uint64_t provided = volume_.layout.provided_data_sectors();
  const Superblock now = superblock();
  if (left_.dirty && now.provided_data_sectors < provided) {
    TRY(left_.bitmap->write(volume_.layout, volume_.meta));
    TRY(volume_.meta.flush());
  }
  if (now.provided_data_sectors == provided && now.recalc_sector <= provided) return {};
  return save([&](Superblock& superblock) {
    superblock.provided_data_sectors = provided;
    superblock.recalc_sector = std::min(superblock.recalc_sector, provided);
  });
}

/// Writes everything in the journal to its place. Writing then continues after it, or at the
/// beginning of an emptied journal.
Result<void> Activation::write_back_journal() {
  if (left_.journal.has_entries) {
    TRY(ring().write_back());
    TRY(ring().reclaim());
  }
  const bool whole = left_.journal.count == ring().store().sections();
  if (whole && (volume_.params.mode == Mode::journal || !left_.journal.has_entries)) {
    ring().go_on(left_.journal.first, left_.journal.sequence);
    return {};
  }
  return ring().erase(left_.journal.first, left_.journal.erase_sequence);
}

/// From mode B to another mode: dirty regions cannot be recorded there, so all is recalculated.
Result<void> Activation::leave_bitmap() {
  const bool same = stored_granularity() == wanted_granularity();
  // Before the bitmap goes.
  const bool is_stale = !settled_ && (!same || !left_.bitmap->empty());
  if (is_stale || volume_.params.reset_recalculate) TRY(save(restart));
  TRY(ring().store().initialize(0, ring().store().sections(), 0));
  TRY(save([](Superblock& superblock) { superblock.set(Superblock::dirty_bitmap, false); }));
  left_.journal = TRY(scan_journal(ring().store()));
  return {};
}

Result<void> Activation::begin_journal() {
  TRY(check_can_leave_bitmap(device_));
  if (left_.dirty) TRY(leave_bitmap());
  TRY(write_back_journal());
  if (!left_.dirty && volume_.params.reset_recalculate) volume_.superblock->change(restart);
  // A requested recalculation is recorded before it starts.
  TRY(volume_.superblock->save_changes(volume_.meta));
  TRY(watch(std::nullopt));
  device_.mode = volume_.params.mode == Mode::journal ? make_journal_mode(volume_, ring(), waker_)
                                                      : make_direct_mode(volume_);
  return {};
}

Result<void> Activation::begin_bitmap() {
  RegionMap map = left_.dirty && !settled_ ? TRY(take_dirty_bitmap()) : TRY(make_clean_bitmap());
  TRY(watch(map));
  device_.mode =
      make_bitmap_mode(volume_, ring().store(), *device_.recalculation, std::move(map), waker_);
  return {};
}

/// After a crash in mode B: marked regions are recalculated and stay marked until that is done.
Result<RegionMap> Activation::take_dirty_bitmap() {
  const unsigned wanted = wanted_granularity();
  if (stored_granularity() == wanted && !volume_.params.reset_recalculate) {
    if (!left_.bitmap->empty()) TRY(save(restart));
    return *left_.bitmap;
  }
  // Everything is marked in either granularity, whenever a crash happens.
  RegionMap map(volume_.layout, wanted);
  map.set_all();
  left_.bitmap->set_all();
  TRY(left_.bitmap->write(volume_.layout, volume_.meta));
  TRY(map.write(volume_.layout, volume_.meta));
  TRY(volume_.meta.flush());
  TRY(save([&](Superblock& superblock) {
    restart(superblock);
    superblock.log2_blocks_per_bitmap_bit =
        static_cast<std::uint8_t>(wanted - volume_.layout.log2_sectors_per_block());
  }));
  return map;
}

Result<RegionMap> Activation::make_clean_bitmap() {
  if (!left_.dirty) TRY(write_back_journal());
  const unsigned wanted = wanted_granularity();
  TRY(save([&](Superblock& superblock) {
    if (volume_.params.reset_recalculate) restart(superblock);
    superblock.set(Superblock::dirty_bitmap, true);
    superblock.log2_blocks_per_bitmap_bit =
        static_cast<std::uint8_t>(wanted - volume_.layout.log2_sectors_per_block());
  }));
  RegionMap map(volume_.layout, wanted);
  const Superblock now = superblock();
  if (now.has(Superblock::recalculating) &&
      now.recalc_sector < volume_.layout.provided_data_sectors())
    map.set(map.region_of(now.recalc_sector), map.regions() - 1);
  TRY(map.write(volume_.layout, volume_.meta));
  TRY(volume_.meta.flush());
  return map;
}

/// Starts keeping track of which tags are valid.
Result<void> Activation::watch(std::optional<RegionMap> stale) {
  if (!volume_.hash) return {};
  device_.recalculation = std::make_unique<Recalculation>(volume_, std::move(stale));
  return {};
}

}  // namespace

namespace {

void make_reader(OpenDevice& device, const IntegrityTarget::Options& options, bool read_only) {
  const bool reads_journal = device.volume->params.mode == Mode::journal || read_only;
  device.reader = std::make_unique<BlockReader>(
      *device.volume, reads_journal ? device.ring.get() : nullptr, device.recalculation.get(),
      options.on_mismatch, options.on_discarded);
}

}  // namespace

Result<OpenDevice> open_device(const Params& params, const Devices& devices,
                               const IntegrityTarget::Options& options, const Waker& waker) {
  OpenDevice device;
  device.volume = TRY(open_volume(params, devices, options));
  const bool recovery = params.mode == Mode::recovery;
  if (!recovery) TRY(Activation(device, options, waker).run());
  make_reader(device, options, options.read_only);
  return device;
}

Result<void> check_begin_writing(const OpenDevice& device) {
  TRY(check_superblock_for_writing(*device.volume));
  const Params& params = device.volume->params;
  if (device.as_left.bitmap && params.keyed() && !params.reset_recalculate &&
      !params.legacy_recalculate)
    TRY(check_marks(device));
  return check_can_leave_bitmap(device);
}

Result<void> begin_writing(OpenDevice& device, const IntegrityTarget::Options& options,
                           const Waker& waker) {
  TRY(prepare_writing(*device.volume));
  auto begun = Activation(device, options, waker).begin_writing();
  // It may have made other parts before it failed.
  make_reader(device, options, device.mode == nullptr);
  return begun;
}

}  // namespace intact::integrity
