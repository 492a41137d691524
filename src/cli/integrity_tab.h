#pragma once

#include <string>
#include <string_view>

#include <intact/base/result.h>

#include "integrity_options.h"

namespace intact::cli {

/// Applies the line of `name` in a file in the format of integritytab(5) to `options`. Errors:
/// not_found without such a line, malformed if it cannot be parsed, unsupported if it has
/// unknown options.
Result<void> apply_integrity_tab(std::string_view text, std::string_view name,
                                 IntegrityOptions& options);

}  // namespace intact::cli
