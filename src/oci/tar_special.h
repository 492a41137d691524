#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <intact/oci/tar_reader.h>

#include "tar_record.h"

namespace intact::oci {

inline constexpr char kGnuSparseFile = 'S';

/// What the headers before an entry's own say about it.
struct TarReader::Special {
  Records records;  ///< PAX, local
  bool has_records = false;
  std::optional<std::string> name;  ///< GNU's long names
  std::optional<std::string> link;
  std::string sparse_list;         ///< the map of sparse format 0.0, as format 0.1 has it
  std::size_t sparse_numbers = 0;  ///< how many there are in it

  bool any() const { return has_records || name || link; }
};

/// What global headers say about every entry after them.
struct TarReader::Global {
  std::map<std::string, TarRecord, std::less<>> records;  ///< none that is ignored
};

}  // namespace intact::oci
