#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/crypt/sector_crypt.h>

namespace intact::crypt {

/// The optional arguments of a line of dm-crypt.
struct Options {
  bool allow_discards = false;
  // How the kernel distributes its work. They change nothing here.
  bool same_cpu_crypt = false;
  bool high_priority = false;
  bool submit_from_crypt_cpus = false;
  bool no_read_workqueue = false;
  bool no_write_workqueue = false;

  std::uint32_t record_size = 0;   ///< "integrity:BYTES:PROFILE"; 0: without
  bool is_aead = false;            ///< PROFILE is aead, not none
  std::uint32_t mac_key_size = 0;  ///< "integrity_key_size:BYTES"; 0: not given
  std::uint32_t sector_size = 512;
  bool iv_large_sectors = false;

  bool operator==(const Options&) const = default;

  /// The words after their number, in any order and case; of one that is repeated the last counts.
  /// invalid_argument, in the kernel's words.
  static Result<Options> parse(std::span<const std::string> words);
  /// In the order in which the kernel shows them.
  std::vector<std::string> words() const;

  /// With the rest of what says how sectors are encrypted. `iv_offset` in sectors of 512 bytes.
  SectorParams sector_params(CipherSpec spec, std::uint64_t iv_offset) const;
};

}  // namespace intact::crypt
