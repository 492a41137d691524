#pragma once

#include <string>

#include <intact/base/result.h>

namespace intact::sign {

/// The text of a public key: of a file that only root, the user and its owner can change (see
/// TrustedOwner::anyone), of standard input (`-`), or of a descriptor that the caller has opened
/// (/dev/fd/N, /dev/stdin, as shells pass `<(...)`). What cannot be read twice is kept, so that
/// several readers of a command get the same text. Thread-safe.
Result<std::string> read_public_key_text(const std::string& file);

}  // namespace intact::sign
