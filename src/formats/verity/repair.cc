#include <utility>

#include <intact/verity/volume.h>

namespace intact::verity {
namespace {

/// Writes the true content of the blocks of `damage` to their place.
Result<void> write_back(const VerityTarget& target, const Layout& layout, const Devices& devices,
                        const Damage& damage) {
  const bool is_data = damage.area == Area::data;
  const std::uint64_t size =
      is_data ? layout.params.data_block_size : layout.params.hash_block_size;
  const std::uint64_t begin = is_data ? 0 : TRY(hash_area_offset(layout));
  block::BlockTarget& device = is_data ? *devices.data : *devices.hash;
  for (std::uint64_t block = damage.block; block < damage.block + damage.blocks; ++block)
    TRY(device.write(begin + block * size, TRY(target.mend(damage.area, block))));
  return {};
}

}  // namespace

Result<RepairReport> repair(const Layout& layout, const Devices& devices, ByteSpan root,
                            unsigned threads, const Progress& progress) {
  RepairReport report;
  // Each block that is mended gives one erasure less to the others that share its codewords, and
  // what lies below a mended hash block can be checked: on until nothing more comes of it.
  for (bool again = true; again;) {
    again = false;
    const auto target = TRY(open(layout, devices, root, {.cache_size = kScanCacheSize}));
    report.lost.clear();
    for (Damage& damage : TRY(target->scan(threads, progress))) {
      if (!damage.mendable) {
        report.lost.push_back(std::move(damage));
        continue;
      }
      TRY(write_back(*target, layout, devices, damage));
      report.mended.push_back(std::move(damage));
      again = true;
    }
  }
  TRY(devices.hash->flush());
  TRY(devices.data->flush());
  return report;
}

}  // namespace intact::verity
