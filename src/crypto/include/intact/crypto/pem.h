#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/secret.h>

namespace intact::crypto {

/// One block of a PEM text (RFC 7468): "-----BEGIN LABEL-----", base64 lines, "-----END
/// LABEL-----".
struct PemBlock {
  std::string label;
  Secret body;  ///< decoded; secret because it may be a private key
};

inline constexpr std::size_t kMaxPemSize = 64 * 1024;  // bytes
inline constexpr std::size_t kMaxPemBlocks = 8;

/// All blocks of a text; text around them is skipped. malformed: no block, one without its end,
/// headers inside (the old encryption), bad base64. Errors never quote the text, which may be a
/// private key.
Result<std::vector<PemBlock>> parse_pem(std::string_view text);

/// The block as OpenSSL and Go write it: lines of 64 characters.
std::string encode_pem(std::string_view label, ByteSpan body);

}  // namespace intact::crypto
