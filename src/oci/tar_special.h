#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <intact/oci/tar_reader.h>

namespace intact::oci {

/// What the headers in front of an entry's own say about it.
struct TarReader::Special {
  Records records;  ///< PAX, local
  bool has_records = false;
  std::optional<std::string> name;  ///< GNU's long names
  std::optional<std::string> link;

  bool any() const { return has_records || name || link; }
};

/// Whether a PAX record of this key says anything to make_entry(); the others need not be kept.
bool is_used_record(std::string_view key);

}  // namespace intact::oci
