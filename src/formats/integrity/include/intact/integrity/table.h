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

/// invalid_argument with the kernel's words for what is not of the form; words behind the counted
/// options are ignored, as the kernel does. What the params mean together is check_params()'
/// business.
Result<TableLine> parse_table(std::string_view line);

}  // namespace intact::integrity
