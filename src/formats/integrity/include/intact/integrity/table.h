#pragma once

#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/integrity/params.h>

namespace intact::integrity {

/// A line of a device-mapper table for the target "integrity", without start, length and the
/// target's name: "DEVICE START TAG MODE COUNT OPTION...".
struct TableLine {
  std::string device;
  Params params;
  std::string meta_device = {};  ///< empty: none
};

/// Error invalid_argument, with the kernel's messages, for text that does not have this form. Words
/// after the counted options are ignored, as in the kernel. check_params() checks whether the
/// params make sense together.
Result<TableLine> parse_table(std::string_view line);

}  // namespace intact::integrity
