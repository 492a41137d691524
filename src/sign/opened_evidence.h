#pragma once

#include <functional>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
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
  /// What the message says; to be asked after a signature over it was found good.
  std::function<Result<Claim>()> claim;
};

/// malformed, unsupported or limit when it is not what its kind says. `manifest` is what it should
/// be about.
/// The result must not outlive `evidence`.
Result<OpenedEvidence> open_evidence(const Evidence& evidence, const Digest& manifest);

/// Whether one of the signatures is the key's.
bool has_signed(const PublicKey& key, const OpenedEvidence& opened);

}  // namespace intact::sign
