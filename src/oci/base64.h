#pragma once

#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

namespace intact::oci {

/// Decodes standard base64 (RFC 4648, 4). Padding may be missing; anything else is malformed.
Result<Bytes> decode_base64(std::string_view text);

}  // namespace intact::oci
