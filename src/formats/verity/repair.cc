#include <utility>

#include <intact/verity/volume.h>

namespace intact::verity {

Result<RepairReport> repair(const Layout& layout, const Devices& devices, ByteSpan root,
                            unsigned threads, const Progress& progress) {
  const std::uint64_t hash_area = TRY(hash_area_offset(layout));
  const auto write_back = [&](Area area, std::uint64_t block, ByteSpan content) {
    // Another thread may read a part of the block meanwhile; it compares the digest.
    return area == Area::data
               ? devices.data->write(block * layout.params.data_block_size, content)
               : devices.hash->write(hash_area + block * layout.params.hash_block_size, content);
  };
  RepairReport report;
  // Each repaired block is one erasure less for the others that share its codewords, so repeat this
  // until nothing more is repaired.
  for (bool again = true; again;) {
    again = false;
    const auto target = TRY(open(layout, devices, root, {.cache_size = kScanCacheSize}));
    report.lost.clear();
    for (Damage& damage : TRY(target->scan(threads, progress, write_back))) {
      again |= damage.correctable;
      (damage.correctable ? report.repaired : report.lost).push_back(std::move(damage));
    }
    again = again && !report.lost.empty();
  }
  TRY(devices.hash->flush());
  TRY(devices.data->flush());
  return report;
}

}  // namespace intact::verity
