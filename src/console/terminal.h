#pragma once

#include <cstddef>
#include <string_view>

#include <intact/base/result.h>
#include <intact/crypto/secret.h>

namespace intact::console {

/// Asks at the process's terminal (/dev/tty, whatever stdin and stdout are) for one line that is
/// not echoed; returns it without its newline, at most `limit` bytes. The terminal is restored
/// afterwards, also when a signal ends the program meanwhile. invalid_argument without a terminal;
/// cancelled at end of input. Not thread-safe.
Result<crypto::Secret> ask_secret(std::string_view prompt, std::size_t limit);

}  // namespace intact::console
