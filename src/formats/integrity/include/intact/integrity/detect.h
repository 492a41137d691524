#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/crypto/secret.h>
#include <intact/integrity/integrity_target.h>

namespace intact::integrity {

/// What the tags of a device appear to be. The superblock does not name the hash that makes them.
struct Detection {
  enum class TagUse { whole, cut, padded };  ///< how the digest fits the tag

  std::uint32_t sampled = 0;    ///< number of blocks examined
  std::uint32_t blank = 0;      ///< of these, with a tag of zeros: never written
  std::uint32_t discarded = 0;  ///< of these, with the tag of a discarded block
  /// The hash that makes the tags of `matching` of the remaining blocks; none if no known hash
  /// does.
  std::optional<std::string> hash = {};
  std::uint32_t matching = 0;
  std::uint32_t digest_size = 0;  ///< bytes
  TagUse tag_use = TagUse::whole;
  bool keyed = false;  ///< with the key that was given
  bool salted = false;

  /// How the journal is protected. Sectors without commit ids show that it is encrypted.
  enum class Journal {
    plain,
    encrypted,  ///< or destroyed: no sector has a commit id
    unknown,    ///< the device was not closed in bitmap mode, or has no journal
  };
  Journal journal = Journal::unknown;
  bool journal_mac = false;  ///< sections have a MAC

  std::uint32_t tagged() const { return sampled - blank - discarded; }
};

/// For programs: "whole", "cut", "padded"; "plain", "encrypted", "unknown".
std::string_view name_of(Detection::TagUse use);
std::string_view name_of(Detection::Journal journal);
/// For people, clauses: how the digest is stored, how the journal is protected.
std::string_view explanation_of(Detection::TagUse use);
std::string_view explanation_of(Detection::Journal journal);
/// Why no hash was found, as a sentence without a period. `with_key`: detect() had one.
std::string_view why_no_hash(const Detection& found, bool with_key);

/// Tries all known hashes on sampled blocks; with a `key` (may be null) also those that take one.
/// Examines the first section of the journal. Uses only start and buffer_sectors of the params.
/// Errors of read_superblock(), and read errors.
Result<Detection> detect(const Params& params, const Devices& devices,
                         const std::shared_ptr<const crypto::Secret>& key);
/// The same for a device whose superblock was read before.
Result<Detection> detect(const Superblock& superblock, const Params& params, const Devices& devices,
                         const std::shared_ptr<const crypto::Secret>& key);

}  // namespace intact::integrity
