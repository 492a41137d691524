#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/certificate_chain.h>
#include <intact/crypto/signature_key.h>
#include <intact/sign/key.h>
#include <intact/sign/payload.h>
#include <intact/sign/signature_image.h>

namespace intact::sign {

/// The media types of the two envelopes of the Notary Project.
inline constexpr std::string_view kJwsMediaType = "application/jose+json";
inline constexpr std::string_view kCoseMediaType = "application/cose";
inline constexpr std::string_view kNotationArtifactType = "application/vnd.cncf.notary.signature";

inline constexpr std::size_t kMaxNotationSize = 256 * 1024;  // bytes

/// A signature of the Notary Project, of the scheme notary.x509: taken apart and not verified.
struct NotationEnvelope {
  Bytes message;                    ///< what the signature covers
  crypto::SignatureScheme scheme;   ///< as the envelope says
  Bytes signature;                  ///< as `scheme` has it
  std::vector<Bytes> certificates;  ///< DER, the signer's first
  Bytes payload;
  std::int64_t signing_time = 0;         ///< seconds since 1970, as the signer says
  std::optional<std::int64_t> expiry{};  ///< the same; after it the signature is not valid
};

/// malformed; unsupported: another scheme or algorithm, critical attributes that are not known,
/// signatures that need a plugin; limit.
Result<NotationEnvelope> parse_notation_jws(ByteSpan json);
Result<NotationEnvelope> parse_notation_cose(ByteSpan cbor);

/// What the payload says. Our identity is among the artifact's annotations ("user metadata").
Result<SigningPayload> parse_notation_payload(ByteSpan payload);

enum class NotationFormat { jws, cose };

/// Signs as `notation sign` does. `time`: of signing, seconds since 1970. invalid_argument when the
/// key is not that of the first certificate; unsupported for Ed25519.
Result<Bytes> make_notation(const SigningPayload& payload, const SignedManifest& subject,
                            const PrivateKey& key, const crypto::CertificateChain& chain,
                            std::int64_t time, NotationFormat format);

/// The manifest in which notation stores an envelope, which refers to `subject`.
SignatureImage wrap_notation(Bytes envelope, const SignedManifest& subject,
                             const crypto::CertificateChain& chain, std::int64_t time,
                             NotationFormat format);

}  // namespace intact::sign
