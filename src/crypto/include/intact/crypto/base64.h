#pragma once

#include <string>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/secret.h>

namespace intact::crypto {

/// Standard base64 of RFC 4648 section 4, padded, on one line.
std::string encode_base64(ByteSpan bytes);

/// The exact inverse of encode_base64: white space, missing or surplus padding, the URL alphabet
/// and set bits after the last byte are malformed, so each value has one spelling.
Result<Bytes> decode_base64(std::string_view text);

/// The URL alphabet without padding (RFC 4648 section 5), as JWS writes it, and its exact inverse.
std::string encode_base64url(ByteSpan bytes);
Result<Bytes> decode_base64url(std::string_view text);

/// The same for bytes that must not leak. The error does not quote the text.
Result<Secret> decode_base64_secret(std::string_view text);

}  // namespace intact::crypto
