#pragma once

#include <cstdint>
#include <string>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::console {

// Files that a command reads from front to back: "-" is standard input. Thread-safe.

/// Opens a file for reading. Programs that are started later do not inherit the descriptor.
Result<UniqueFd> open_input(const std::string& path);
/// The whole content, at most `limit` bytes (error kind limit beyond it).
Result<Bytes> read_input(const std::string& path, std::uint64_t limit);
/// The same as text, without the spaces, tabs and line ends around it.
Result<std::string> read_text_input(const std::string& path, std::uint64_t limit);
/// What messages call it: the path, or "standard input".
std::string input_name(const std::string& path);

}  // namespace intact::console
