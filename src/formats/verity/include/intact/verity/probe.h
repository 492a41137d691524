#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <intact/base/bytes.h>
#include <intact/dm/prober.h>
#include <intact/verity/fec.h>
#include <intact/verity/superblock.h>

namespace intact::verity {

/// Finds dm-verity volumes by their superblock: where the user says it is, or else at the beginning
/// of the device, after the file system at the beginning, and where it would be if the tree ended
/// with the device.
extern const dm::Prober kProber;

/// What the superblock says; its offset is that of the superblock, on the hash device if there is
/// one.
struct FoundHeader final : dm::Header {
  explicit FoundHeader(Superblock found) : superblock(std::move(found)) {}
  std::vector<dm::Fact> facts() const override;

  Superblock superblock;
};

/// What the user says about a volume.
struct Credentials final : dm::Credentials {
  Credentials() : dm::Credentials(kProber) {}
  Result<void> missing(const std::string& name) const override;

  struct Fec {
    dm::File device = {};  ///< null: where the volume was found
    unsigned roots = kMinRoots;
    std::uint64_t offset = 0;  ///< bytes
  };

  Bytes root = {};             ///< trusted; empty: none is given, and nothing can be opened
  dm::File hash = {};          ///< the device with superblock and tree; null: with the data
  std::string hash_name = {};  ///< what messages call it, if there is one
  std::optional<std::uint64_t> superblock_at = {};  ///< byte, on the hash device
  std::optional<std::uint64_t> data_blocks = {};    ///< the superblock must say the same
  std::optional<Fec> fec = {};
};

}  // namespace intact::verity
