#pragma once

#include <optional>
#include <string>

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

}  // namespace intact::oci
