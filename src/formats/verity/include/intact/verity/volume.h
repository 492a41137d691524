#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/block/device.h>
#include <intact/verity/fec.h>
#include <intact/verity/params.h>
#include <intact/verity/superblock.h>
#include <intact/verity/verity_target.h>

namespace intact::verity {

/// Where the parts of a volume are. Offsets in bytes.
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

/// The devices of a volume. One may be used in several places, as the same object.
struct Devices {
  std::shared_ptr<block::Device> data;
  std::shared_ptr<block::Device> hash;
  std::shared_ptr<block::Device> fec = {};  ///< if the layout has FEC
};

/// First byte of the hash area: the first whole hash block after the superblock. Without a
/// superblock it is hash_offset, which must then be a multiple of the hash block size:
/// invalid_argument if not.
Result<std::uint64_t> hash_area_offset(const Layout& layout);

/// What forward error correction covers: the data blocks, then the hash device from the hash area
/// to its end, or to the parity if that is on the same device. malformed or invalid_argument if
/// that is not possible.
Result<std::shared_ptr<block::Device>> fec_coverage(const Layout& layout, const Devices& devices);
Result<FecGeometry> fec_geometry(const Layout& layout, const block::Device& coverage);

/// Whether all parts fit on their devices without overlap: invalid_argument if not, and the message
/// says what to do.
/// `too_short`: the kind of the error if a device ends before its part does.
Result<void> check_layout(const Layout& layout, const Devices& devices,
                          ErrorKind too_short = ErrorKind::invalid_argument);

/// The smallest sizes of the devices of a new volume, in bytes.
struct DeviceSizes {
  std::uint64_t hash;
  std::uint64_t fec;  ///< 0 without FEC
};
/// `hash_size`: present size of the hash device, since FEC also covers what follows the tree on it.
Result<DeviceSizes> needed_sizes(const Layout& layout, std::uint64_t hash_size,
                                 bool fec_on_hash_device);

/// Reads the superblock at byte `hash_offset`. malformed: not a superblock.
Result<Superblock> read_superblock(const block::Device& hash, std::uint64_t hash_offset);

/// Writes hash area, parity and, last of all, superblock; returns the root hash. All is flushed.
/// The devices must be large enough: check_layout.
Result<Bytes> format(const Layout& layout, const Devices& devices, const Uuid& uuid,
                     unsigned threads = 0, const Progress& progress = {});

/// Cache size that suffices to read a volume once from front to back, in bytes.
constexpr std::size_t kScanCacheSize = 2 << 20;

/// The volume as a device of verified data.
Result<std::unique_ptr<VerityTarget>> open(const Layout& layout, const Devices& devices,
                                           ByteSpan root, VerityTarget::Options options = {});

struct RepairReport {
  std::vector<Damage> repaired;  ///< written and checked
  std::vector<Damage> lost;      ///< not correctable, or below a hash block that is not
};

/// Repairs in place what FEC can correct. Each block is checked against its hash before it is
/// written. The devices must be writable unless nothing is damaged. Flushes.
Result<RepairReport> repair(const Layout& layout, const Devices& devices, ByteSpan root,
                            unsigned threads = 0, const Progress& progress = {});

}  // namespace intact::verity
