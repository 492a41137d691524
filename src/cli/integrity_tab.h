#pragma once

#include <string>
#include <string_view>

#include <intact/base/result.h>

#include "integrity_options.h"

namespace intact::cli {

/// What the line of `name` in a file in the format of integritytab(5) says, put over `options`.
/// not_found: there is no such line; malformed: it cannot be understood; unsupported: it asks for
/// what is not known.
Result<void> apply_integrity_tab(std::string_view text, std::string_view name,
                                 IntegrityOptions& options);

}  // namespace intact::cli
