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

// The kinds of evidence that can be judged. Records in a store name them so.
/// A payload and a signature over it, as cosign 2 stores them (payload.h).
inline constexpr std::string_view kSimpleSigning = "simple-signing";
inline constexpr std::string_view kSigstoreBundle = "sigstore-bundle";  ///< bundle.h
/// An envelope with an in-toto statement (statement.h), as `cosign attest` of version 2 writes it.
inline constexpr std::string_view kDsse = "dsse";
// Envelopes of the Notary Project (notation.h).
inline constexpr std::string_view kNotationJws = "notation-jws";
inline constexpr std::string_view kNotationCose = "notation-cose";

inline constexpr std::string_view kSignatureMediaType =
    "application/vnd.dev.cosign.simplesigning.v1+json";
inline constexpr std::string_view kEnvelopeMediaType = "application/vnd.dsse.envelope.v1+json";
inline constexpr std::string_view kSignatureAnnotation = "dev.cosignproject.cosign/signature";

/// The three blobs of a signature: of cosign's tag format, stored under the tag `sha256-HEX.sig`,
/// or of a manifest that refers to the image (OCI 1.1). For the same payload and the same signature
/// the bytes are the same everywhere.
struct SignatureImage {
  Bytes payload;
  Bytes config;
  Bytes manifest;
};

/// Signs. ECDSA is randomized: two calls return two different signatures, both good.
Result<SignatureImage> make_signature_image(const SigningPayload& payload, const PrivateKey& key);

/// The same for an existing signature.
SignatureImage wrap_signature(Bytes payload, ByteSpan signature);

/// What a signature manifest of its own refers to.
struct SignedManifest {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;  ///< bytes
};

/// The manifest that cosign 3 stores a bundle (bundle.h) in, which refers to `subject`.
SignatureImage wrap_bundle(Bytes bundle, const SignedManifest& subject);

/// The tag of the signatures of a manifest: "sha256-HEX.sig".
std::string signature_tag(const Digest& manifest);

/// A layer of a signature manifest: where its payload is.
struct SignatureLayer {
  std::string kind;  ///< such as kSimpleSigning; follows from the media type
  std::string media_type;
  Digest payload;
  std::uint64_t size = 0;        ///< bytes, at most max_payload_size(kind)
  std::string signature_base64;  ///< only of kSimpleSigning
};

/// How large evidence of a kind may be, in bytes. Whole SBOMs may be within the signed bytes of
/// attestations.
std::size_t max_payload_size(std::string_view kind);
/// Whether the kind is one of those above.
bool is_known_kind(std::string_view kind);

inline constexpr std::size_t kMaxSignatureManifestSize = 4 * 1024 * 1024;  // bytes
inline constexpr std::size_t kMaxSignatures = 64;
inline constexpr std::size_t kMaxSignatureText = 8 * 1024;  // characters of base64

/// The signatures that a manifest lists, in its order; their kind follows from each layer, whatever
/// the manifest says of itself. Layers of other types, layers without a signature, and those that
/// are malformed or too large are skipped. malformed if it is not an image manifest; limit for more
/// signatures than kMaxSignatures.
Result<std::vector<SignatureLayer>> parse_signature_manifest(ByteSpan manifest);

}  // namespace intact::sign
