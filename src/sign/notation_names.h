#pragma once

#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/signature_key.h>
#include <intact/sign/notation.h>

namespace intact::sign {

// Attributes of envelopes.
inline constexpr std::string_view kSchemeAttribute = "io.cncf.notary.signingScheme";
inline constexpr std::string_view kTimeAttribute = "io.cncf.notary.signingTime";
inline constexpr std::string_view kExpiryAttribute = "io.cncf.notary.expiry";
inline constexpr std::string_view kAgentAttribute = "io.cncf.notary.signingAgent";
inline constexpr std::string_view kPluginAttribute = "io.cncf.notary.verificationPlugin";
inline constexpr std::string_view kX509Scheme = "notary.x509";
inline constexpr std::string_view kPayloadType = "application/vnd.cncf.notary.payload.v1+json";
inline constexpr std::string_view kSigningAgent = "intact";

/// How the two envelopes name an algorithm.
struct NotationAlgorithm {
  std::string_view jws;
  int cose;
  crypto::SignatureScheme scheme;
  bool is_ecdsa;  ///< its signatures are r and s in full length
};

/// The one algorithm for a key; unsupported if there is none.
Result<NotationAlgorithm> algorithm_for(const crypto::VerifyingKey& key);
/// unsupported for names that are not known.
Result<NotationAlgorithm> algorithm_named(std::string_view jws);
Result<NotationAlgorithm> algorithm_numbered(std::int64_t cose);

/// The signature in an envelope as `scheme` has it. The size of its halves tells the curve.
Result<Bytes> unpack_signature(const NotationAlgorithm& algorithm, ByteSpan signature);
Result<Bytes> pack_signature(const NotationAlgorithm& algorithm, crypto::KeyType type,
                             ByteSpan signature);

/// Checks what both envelopes say in their own ways. `critical` are the names that readers must
/// know.
Result<void> check_attributes(std::string_view scheme, std::string_view content_type,
                              const std::vector<std::string>& critical);

}  // namespace intact::sign
