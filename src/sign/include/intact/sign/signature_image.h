#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/sign/key.h>
#include <intact/sign/payload.h>

namespace intact::sign {

inline constexpr std::string_view kSignatureMediaType =
    "application/vnd.dev.cosign.simplesigning.v1+json";
inline constexpr std::string_view kSignatureAnnotation = "dev.cosignproject.cosign/signature";

/// The three blobs of cosign's tag format, stored under the tag `sha256-HEX.sig`. For the same
/// payload and the same signature the bytes are the same everywhere.
struct SignatureImage {
  Bytes payload;
  Bytes config;
  Bytes manifest;
};

/// Signs. ECDSA is randomized: two calls return two different signatures, both good.
Result<SignatureImage> make_signature_image(const SigningPayload& payload, const PrivateKey& key);

/// The same for an existing signature.
SignatureImage wrap_signature(Bytes payload, ByteSpan signature);

/// The tag of the signatures of a manifest: "sha256-HEX.sig".
std::string signature_tag(const Digest& manifest);

/// A layer of a signature manifest: where its payload is.
struct SignatureLayer {
  Digest payload;
  std::uint64_t size;  ///< bytes, at most kMaxPayloadSize
  std::string signature_base64;
};

inline constexpr std::size_t kMaxSignatureManifestSize = 4 * 1024 * 1024;  // bytes
inline constexpr std::size_t kMaxSignatures = 64;
inline constexpr std::size_t kMaxSignatureText = 8 * 1024;  // characters of base64

/// The signatures that a manifest lists, in its order. Layers of other types, layers without a
/// signature, and those that are malformed or too large are skipped. malformed if it is not an
/// image manifest; limit for more signatures than kMaxSignatures.
Result<std::vector<SignatureLayer>> parse_signature_manifest(ByteSpan manifest);

}  // namespace intact::sign
