#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/damage.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/block/device.h>
#include <intact/verity/fec.h>
#include <intact/verity/params.h>

namespace intact::verity {

enum class Area { data, hash };

/// Damage of a volume has as its object the word "data" or "hash", and as its range a run of blocks
/// of that area. Hash blocks are counted in stored order from the start of the hash area; the bytes
/// are those of the device in both cases.
Area area_of(const Damage& damage);
/// For people: "data block 5 (bytes 20480 to 24575)".
std::string place_of(const Damage& damage);

enum class OnCorruption {
  error,   ///< the read fails
  ignore,  ///< the read returns the bad data, and the sink is called
  stop,    ///< the read and all later ones fail
};

/// A dm-verity device in userspace. Every block is checked against the hash tree, up to the root
/// hash, at every read; verified hash blocks are cached, within a bound. A block that fails is
/// corrected with the FEC area, if there is one, and checked before it is used. Thread-safe.
class VerityTarget final : public block::ReadOnlyDevice {
 public:
  struct Devices {
    std::shared_ptr<const ByteSource> data;
    std::shared_ptr<const ByteSource> hash;
    std::uint64_t hash_offset = 0;  ///< first byte of the hash area: its top block
  };
  struct Options {
    OnCorruption on_corruption = OnCorruption::error;
    /// Returns zeros for blocks that must be zero, without reading them.
    bool ignore_zero_blocks = false;
    /// Does not hash a data block again that was good once. Takes a bit for each data block.
    bool check_at_most_once = false;
    std::size_t cache_size = 64 << 20;  ///< bytes of verified hash blocks in memory
    DamageSink on_damage = {};          ///< told of a bad block the first time that it is read
  };
  struct Totals {
    std::uint64_t verified;   ///< data blocks
    std::uint64_t corrupted;  ///< blocks of either area that failed and were not corrected
    std::uint64_t corrected;
  };

  /// `fec` covers the data and the hash area as FecGeometry says. tampered: the tree does not match
  /// `root`; malformed: a device is too small; invalid_argument: params out of range, or `root` has
  /// the wrong size.
  static Result<std::unique_ptr<VerityTarget>> open(const Params& params, ByteSpan root,
                                                    Devices devices, std::optional<FecDecoder> fec,
                                                    Options options);
  ~VerityTarget() override;

  std::uint64_t size() const override;    ///< bytes: data_blocks of data_block_size
  block::Limits limits() const override;  ///< blocks of data_block_size, read-only

  /// All or nothing: after an error `out` holds zeros. tampered if a block in the range is bad.
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;
  /// With ignore_zero_blocks, those blocks are `zero`.
  Result<void> extents(std::uint64_t offset, std::uint64_t length,
                       const block::ExtentSink& sink) const override;
  std::vector<block::Counter> counters() const override;
  std::string dm_status() const override;  ///< "V", or "C" after corruption
  std::string summary() const override;

  /// Takes the true content of a bad block, as the FEC area yields it. Called by several threads;
  /// an error ends the scan.
  using CorrectedSink =
      std::function<Result<void>(Area area, std::uint64_t block, ByteSpan content)>;

  /// Reads everything, hash blocks as well, and lists all damage: the hash area from the top down,
  /// then the data. Ignores the options and does not call their sink. Damage that cannot be
  /// corrected costs little more than damage that can. `threads` 0: one for each processor.
  Result<std::vector<Damage>> scan(unsigned threads = 0, const Progress& progress = {},
                                   const CorrectedSink& corrected = {}) const;

  Totals totals() const;

 private:
  class Impl;
  explicit VerityTarget(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace intact::verity
