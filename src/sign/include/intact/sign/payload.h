#pragma once

#include <string>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>

namespace intact::sign {

/// What a signature of any format says: this manifest is the image of this name. The signature
/// covers the stored bytes; they are parsed only after it was found good.
struct SigningPayload {
  std::string docker_reference;  ///< the identity: HOST/REPO[:TAG], may be empty
  Digest manifest;
};

inline constexpr std::size_t kMaxPayloadSize = 256 * 1024;  // bytes

/// "Simple signing", the classic format of cosign and containers/image: the bytes that cosign would
/// write, without optional claims.
Bytes encode_payload(const SigningPayload& payload);

/// malformed unless it is such a document, of cosign's type. Optional claims are passed over.
Result<SigningPayload> parse_payload(ByteSpan bytes);

}  // namespace intact::sign
