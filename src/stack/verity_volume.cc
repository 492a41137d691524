#include <fmt/format.h>

#include <intact/stack/verity_volume.h>

namespace intact::stack {

std::string Stack::summary() const {
  const verity::VerityTarget::Counters counters = top_->counters();
  if (counters.mended == 0 && counters.corrupted == 0) return {};
  return fmt::format("{} blocks verified, {} reads of damaged blocks, {} reads mended",
                     counters.verified, counters.corrupted, counters.mended);
}

Result<Stack> open(const VerityVolume& volume, const Events& events) {
  const bool stops = volume.on_corruption == verity::OnCorruption::stop;
  const std::uint64_t hash_area = TRY(verity::hash_area_offset(volume.layout));
  verity::VerityTarget::Options options{
      .on_corruption = volume.on_corruption,
      .ignore_zero_blocks = volume.ignore_zero_blocks,
      .check_at_most_once = volume.check_at_most_once,
      .on_damage = [events, stops, hash_area, name = volume.name,
                    params = volume.layout.params](const verity::Damage& damage) {
        if (events.log)
          events.log(fmt::format("DAMAGED {}: {}: {}", name,
                                 verity::place_of(damage, params, hash_area).text, damage.reason));
        if (stops && events.stop) events.stop();
      }};
  return Stack(
      TRY(verity::open(volume.layout, {.data = volume.data, .hash = volume.hash, .fec = volume.fec},
                       volume.root, std::move(options))));
}

}  // namespace intact::stack
