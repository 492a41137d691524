#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/block/target.h>
#include <intact/verity/fec.h>
#include <intact/verity/geometry.h>
#include <intact/verity/params.h>
#include <intact/verity/superblock.h>
#include <intact/verity/verity_target.h>

namespace intact::verity {

/// Where the parts of a volume lie. Offsets in bytes.
struct Layout {
  Params params;
  std::uint64_t hash_offset = 0;  ///< of the superblock; without one, of the hash area
  bool superblock = true;
  struct Fec {
    unsigned roots = kMinRoots;
    std::uint64_t offset = 0;
  };
  std::optional<Fec> fec = {};
};

/// The devices of a volume; one may be given in several places, as the same object.
struct Devices {
  std::shared_ptr<block::BlockTarget> data;
  std::shared_ptr<block::BlockTarget> hash;
  std::shared_ptr<block::BlockTarget> fec = {};  ///< if the layout has FEC
};

/// First byte of the hash area: the first whole hash block behind the superblock. Without
/// superblock hash_offset itself, which must then be a multiple: invalid_argument if not.
Result<std::uint64_t> hash_area_offset(const Layout& layout);

/// What forward error correction covers: the data blocks, then the hash device from the hash area
/// on, to its end or, where the parity lies on the same device, up to that. malformed or
/// invalid_argument when that is not possible.
Result<std::shared_ptr<block::BlockTarget>> fec_coverage(const Layout& layout,
                                                         const Devices& devices);
Result<FecGeometry> fec_geometry(const Layout& layout, const block::BlockTarget& coverage);

/// Whether all parts fit on their devices and none lies over another: invalid_argument if not, with
/// what to do.
/// `too_short`: the kind of error where a device ends before its part does.
Result<void> check_layout(const Layout& layout, const Devices& devices,
                          ErrorKind too_short = ErrorKind::invalid_argument);

/// Bytes that the devices of a new volume must have at least.
struct DeviceSizes {
  std::uint64_t hash;
  std::uint64_t fec;  ///< 0 without FEC
};
/// `hash_size`: of the hash device as it is, since what follows the tree on it is covered as well.
Result<DeviceSizes> needed_sizes(const Layout& layout, std::uint64_t hash_size,
                                 bool fec_on_hash_device);

/// Where damage lies, for people and for tools.
struct Place {
  std::string text;      ///< "data block 5 (bytes 20480 to 24575)"
  std::uint64_t offset;  ///< first byte on the data or hash device
};
/// `hash_area`: hash_area_offset of the layout.
Place place_of(const Damage& damage, const Params& params, std::uint64_t hash_area);

/// Reads the superblock at byte `hash_offset`; malformed if there is none.
Result<Superblock> read_superblock(const block::BlockTarget& hash, std::uint64_t hash_offset);

/// Writes hash area, parity and, last of all, superblock; returns the root hash. All is flushed.
/// The devices must be large enough: check_layout.
Result<Bytes> format(const Layout& layout, const Devices& devices, const Uuid& uuid,
                     unsigned threads = 0, const Progress& progress = {});

/// Enough of a cache for whoever reads a volume once, from front to back (bytes).
constexpr std::size_t kScanCacheSize = 2 << 20;

/// The volume as a device of verified data.
Result<std::unique_ptr<VerityTarget>> open(const Layout& layout, const Devices& devices,
                                           ByteSpan root, VerityTarget::Options options = {});

struct RepairReport {
  std::vector<Damage> mended;  ///< written and checked
  std::vector<Damage> lost;    ///< beyond the parity, or below a hash block that is
};

/// Mends what can be mended, in place: each block is checked against its hash before it is written.
/// The devices must be writable, but may be read-only where nothing is damaged. Flushes.
Result<RepairReport> repair(const Layout& layout, const Devices& devices, ByteSpan root,
                            unsigned threads = 0, const Progress& progress = {});

}  // namespace intact::verity
