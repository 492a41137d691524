#pragma once

#include <string>
#include <string_view>

#include <intact/base/result.h>

namespace intact::composefs {

/// Takes the escapes of a dump away: \\, \n, \r, \t and \xHH. malformed for any other.
Result<std::string> unescape(std::string_view text);

/// The same for fields that are strings to the C tools: what follows a first NUL is dropped.
Result<std::string> unescape_string(std::string_view text);

}  // namespace intact::composefs
