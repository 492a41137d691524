#pragma once

#include <functional>
#include <optional>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/crypto/signature_key.h>
#include <intact/sign/payload.h>
#include <intact/sign/trust.h>

namespace intact::sign {

/// What is said about a manifest.
struct Claim {
  SigningPayload payload;
  std::string attestation{};  ///< the predicate type; empty: that it is the image
};

/// A piece of evidence, taken apart and not yet verified.
struct OpenedEvidence {
  Bytes message;                    ///< the bytes that the signatures cover
  std::vector<Bytes> signatures;    ///< each by somebody, over the same bytes
  std::vector<Bytes> certificates;  ///< DER, the signer's first; empty for bare keys
  /// Of signatures that name their scheme. Such are the holder's of a certificate; others are made
  /// as cosign makes them.
  std::optional<crypto::SignatureScheme> scheme{};
  std::optional<std::int64_t> expiry{};  ///< seconds since 1970; after it they are not valid
  /// What the message says; to be asked after a signature over it was found good.
  std::function<Result<Claim>()> claim;
};

/// malformed, unsupported or limit when it is not what its kind says. `manifest` is what it should
/// be about.
/// The result must not outlive `evidence`.
Result<OpenedEvidence> open_evidence(const Evidence& evidence, const Digest& manifest);

/// Whether one of the signatures is the key's, without regard to certificates.
bool has_signed(const PublicKey& key, const OpenedEvidence& opened);
/// The same for the key of a certificate.
bool has_signed(const crypto::VerifyingKey& key, const OpenedEvidence& opened);

}  // namespace intact::sign
