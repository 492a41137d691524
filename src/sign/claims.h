#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/json/json.h>
#include <intact/sign/payload.h>

namespace intact::sign {

/// A decimal number, and nothing else.
std::optional<std::uint64_t> parse_serial(std::string_view text);

/// Takes identity, time and serial number from annotations that were signed. malformed: one of our
/// own is not a string, or not what it should be.
Result<void> read_annotations(const Json& annotations, SigningPayload& payload);

/// The same written down: JSON members without braces, in Go's order; may be empty.
std::string encode_annotations(const SigningPayload& payload);

}  // namespace intact::sign
