#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/integrity/params.h>

namespace intact::integrity {

/// A line of a file in the format of integritytab(5): NAME DEVICE [KEY-FILE|- [OPTIONS|-]]. What
/// the line does not say is empty; so is a number of zero, which means the default.
struct TabEntry {
  /// A path; for UUID=, LABEL=, PARTUUID= and PARTLABEL= the link that udev makes.
  std::string device = {};
  std::string data_device = {};                         ///< likewise; empty: the same device
  std::string key_file = {};                            ///< of the internal hash; empty: no key
  std::string algorithm = {};                           ///< as the line has it: "hmac-sha256"
  std::optional<Mode> mode = {};                        ///< journal, bitmap or direct
  std::optional<std::uint32_t> journal_watermark = {};  ///< percent
  std::optional<std::uint32_t> commit_time = {};        ///< ms
  bool allow_discards = false;

  bool operator==(const TabEntry&) const = default;
};

/// Finds the first line with this name. The text may be hostile. A key file without an algorithm
/// means "hmac-sha256". Options that only tell systemd when to set the device up are ignored.
/// Errors: not_found without such a line, malformed if it cannot be parsed, unsupported for an
/// unknown option. Thread-safe.
Result<TabEntry> parse_tab(std::string_view text, std::string_view name);

}  // namespace intact::integrity
