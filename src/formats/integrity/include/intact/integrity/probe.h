#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <intact/base/bytes.h>
#include <intact/dm/prober.h>
#include <intact/integrity/layout.h>
#include <intact/integrity/params.h>

namespace intact::integrity {

/// Finds dm-integrity devices by the superblock at their beginning. The superblock does not name
/// the hash that makes the tags: unless the user does, it is the one that sampled tags match, and
/// writing requires that every sampled tag matches, at least 16 bytes in total. With a key, only
/// keyed hashes are accepted.
extern const dm::Prober kProber;

/// What has the magic number of a superblock, whether the rest is one or not.
struct FoundHeader final : dm::Header {
  explicit FoundHeader(Bytes bytes);
  std::vector<dm::Fact> facts() const override;

  Bytes on_disk;      ///< as it was read: kSuperblockSize bytes, fewer if the device is shorter
  RawSuperblock raw;  ///< its first bytes, zeros where the device is shorter
};

/// What the user says about a device.
struct Credentials final : dm::Credentials {
  Credentials() : dm::Credentials(kProber) {}
  Result<void> missing(const std::string& name) const override;

  /// The hash is not named: it is detected, and of internal_hash only the key counts.
  bool detects_hash = true;
  std::optional<Algorithm> internal_hash = {};
  std::optional<Algorithm> journal_mac = {};
  std::optional<Algorithm> journal_crypt = {};
  std::optional<std::uint32_t> tag_size = {};    ///< bytes; the superblock must say the same
  std::optional<std::uint32_t> block_size = {};  ///< bytes; likewise
  bool legacy_recalculate = false;               ///< see Params
  bool legacy_hmac = false;                      ///< see Params
};

}  // namespace intact::integrity
