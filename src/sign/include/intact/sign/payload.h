#pragma once

#include <cstdint>
#include <optional>
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
  std::optional<std::int64_t> time{};     ///< of signing, seconds since 1970, as the signer says
  std::optional<std::uint64_t> serial{};  ///< grows with every release of a name
};

/// The annotations of statements and Notation payloads, and the optional claim of classic payloads,
/// that hold the time and the serial number.
inline constexpr std::string_view kTimeAnnotation = "dev.intact.time";
inline constexpr std::string_view kSerialAnnotation = "dev.intact.serial";

inline constexpr std::size_t kMaxPayloadSize = 256 * 1024;  // bytes

/// "Simple signing", the classic format of cosign and containers/image: the bytes that cosign would
/// write. The time is the claim "timestamp", as containers/image writes it.
Bytes encode_payload(const SigningPayload& payload);

/// malformed unless it is such a document, of cosign's type. Optional claims of others are passed
/// over.
Result<SigningPayload> parse_payload(ByteSpan bytes);

}  // namespace intact::sign
