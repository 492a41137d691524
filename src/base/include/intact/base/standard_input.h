#pragma once

#include <string_view>

#include <intact/base/result.h>

namespace intact {

/// The descriptor of standard input, for an argument `-`. Only one argument of a command can be
/// read from there: later callers get invalid_argument, which names both. `what` says what is read
/// ("the key", "--password-file"). Safe to call from several threads.
Result<int> claim_standard_input(std::string_view what);

}  // namespace intact
