#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <intact/base/result.h>
#include <intact/crypto/secret.h>
#include <intact/integrity/integrity_target.h>

namespace intact::integrity {

/// What the tags of a device seem to be. Its superblock does not say which hash makes them.
struct Detection {
  enum class TagUse { whole, cut, padded };  ///< how the digest fits the tag

  std::uint32_t sampled = 0;    ///< blocks that were looked at
  std::uint32_t blank = 0;      ///< of these, with a tag of zeros: never written
  std::uint32_t discarded = 0;  ///< of these, with the tag of a discarded block
  /// The hash that makes the tags of `matching` of the blocks that are neither; none if no hash
  /// that was tried does.
  std::optional<std::string> hash = {};
  std::uint32_t matching = 0;
  std::uint32_t digest_size = 0;  ///< bytes
  TagUse tag_use = TagUse::whole;
  bool keyed = false;  ///< with the key that was given
  bool salted = false;

  /// What the journal is under. That it is encrypted shows in sectors without commit ids.
  enum class Journal {
    plain,
    encrypted,  ///< or destroyed: no sector has a commit id
    unknown,    ///< the device was cut off in bitmap mode, or lacks a journal
  };
  Journal journal = Journal::unknown;
  bool journal_mac = false;  ///< sections have a MAC; always under a key

  std::uint32_t tagged() const { return sampled - blank - discarded; }
};

/// Tries the hashes that are known, with `key` (may be null) those as well that take one, on blocks
/// here and there. Of the journal the first section is looked at. Of the params, start and
/// buffer_sectors count. Errors as of read_superblock(), and what cannot be read.
Result<Detection> detect(const Params& params, const Devices& devices,
                         const std::shared_ptr<const crypto::Secret>& key);

}  // namespace intact::integrity
