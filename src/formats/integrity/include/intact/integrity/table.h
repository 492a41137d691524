#pragma once

#include <functional>
#include <memory>
#include <span>
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

/// Finds the key for a reference, `:SIZE:TYPE:NAME`.
using KeyLookup =
    std::function<Result<std::shared_ptr<const crypto::Secret>>(std::string_view reference)>;

/// Error invalid_argument, with the kernel's messages, for text that does not have this form. Words
/// after the counted options are ignored, as in the kernel. check_params() checks whether the
/// params make sense together.
Result<TableLine> parse_table(std::string_view line);
/// The same for words, with references for keys, and with `legacy_hmac`, which the kernel lacks.
Result<TableLine> parse_table(std::span<const std::string> words, const KeyLookup& keys);

}  // namespace intact::integrity
