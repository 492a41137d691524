#include "opened_evidence.h"

#include <algorithm>

#include <intact/crypto/base64.h>
#include <intact/sign/bundle.h>
#include <intact/sign/notation.h>
#include <intact/sign/statement.h>

namespace intact::sign {
namespace {

Result<OpenedEvidence> open_simple(const Evidence& evidence) {
  auto signature = crypto::decode_base64(evidence.signature_base64);
  if (!signature) return Error(ErrorKind::malformed, "its signature is not valid base64");
  OpenedEvidence opened;
  opened.message = evidence.payload;
  opened.signatures.push_back(*std::move(signature));
  opened.claim = [&evidence]() -> Result<Claim> {
    return Claim{TRY(parse_payload(evidence.payload))};
  };
  return opened;
}

Result<Claim> read_statement(const Envelope& envelope, const Digest& manifest) {
  if (envelope.payload_type != kStatementType)
    return Error(ErrorKind::unsupported, "an envelope with something other than a statement");
  const Statement statement = TRY(parse_statement(envelope.payload));
  Claim claim{TRY(payload_of(statement, manifest))};
  if (statement.predicate_type == kSignaturePredicate) return claim;
  claim.attestation = statement.predicate_type;
  if (!claim.payload.time) claim.payload.time = statement.predicate_time;
  return claim;
}

OpenedEvidence open_envelope(Envelope envelope, const Digest& manifest) {
  OpenedEvidence opened;
  opened.message = signed_bytes(envelope.payload_type, envelope.payload);
  opened.signatures = std::move(envelope.signatures);
  opened.claim = [envelope = std::move(envelope), manifest] {
    return read_statement(envelope, manifest);
  };
  return opened;
}

Result<OpenedEvidence> open_bundle(const Evidence& evidence, const Digest& manifest) {
  Bundle bundle = TRY(parse_bundle(evidence.payload));
  // Who signs files says nothing of images: the same bytes may be a manifest, which somebody has
  // handed in to be signed as a file.
  if (!bundle.envelope)
    return Error(ErrorKind::unsupported, "signs a file (messageSignature), not an image");
  OpenedEvidence opened = open_envelope(*std::move(bundle.envelope), manifest);
  opened.certificates = std::move(bundle.certificates);
  return opened;
}

Result<OpenedEvidence> open_notation(const Evidence& evidence) {
  NotationEnvelope envelope =
      TRY(evidence.kind == kNotationJws ? parse_notation_jws(evidence.payload)
                                        : parse_notation_cose(evidence.payload));
  OpenedEvidence opened;
  opened.message = std::move(envelope.message);
  opened.signatures.push_back(std::move(envelope.signature));
  opened.certificates = std::move(envelope.certificates);
  opened.scheme = envelope.scheme;
  opened.expiry = envelope.expiry;
  opened.claim = [payload = std::move(envelope.payload),
                  time = envelope.signing_time]() -> Result<Claim> {
    Claim claim{TRY(parse_notation_payload(payload))};
    claim.payload.time = time;
    return claim;
  };
  return opened;
}

Result<OpenedEvidence> open_attestation(const Evidence& evidence, const Digest& manifest) {
  const Json document =
      TRY(parse_json(evidence.payload, {.bytes = kMaxBundleSize, .depth = 16, .values = 1000}));
  return open_envelope(TRY(parse_envelope(document)), manifest);
}

}  // namespace

bool has_signed(const crypto::VerifyingKey& key, const OpenedEvidence& opened) {
  if (!opened.scheme) return has_signed(PublicKey(key), opened);
  return std::ranges::any_of(opened.signatures, [&](const Bytes& signature) {
    return key.verify(*opened.scheme, opened.message, signature);
  });
}

bool has_signed(const PublicKey& key, const OpenedEvidence& opened) {
  if (opened.scheme) return false;
  return std::ranges::any_of(opened.signatures, [&](const Bytes& signature) {
    return key.verify(opened.message, signature).has_value();
  });
}

Result<OpenedEvidence> open_evidence(const Evidence& evidence, const Digest& manifest) {
  if (evidence.payload.size() > max_payload_size(evidence.kind))
    return Error(ErrorKind::limit, "too large");
  if (evidence.kind == kSimpleSigning) return open_simple(evidence);
  if (evidence.kind == kSigstoreBundle) return open_bundle(evidence, manifest);
  if (evidence.kind == kNotationJws || evidence.kind == kNotationCose)
    return open_notation(evidence);
  if (evidence.kind == kDsse) return open_attestation(evidence, manifest);
  return Error(ErrorKind::unsupported, "of an unknown kind");
}

bool is_signed_by(const Evidence& evidence, const SigningPayload& payload, const PublicKey& key) {
  const auto opened = open_evidence(evidence, payload.manifest);
  if (!opened || !has_signed(key.key(), *opened)) return false;
  const auto claim = opened->claim();
  return claim && claim->attestation.empty() && claim->payload.manifest == payload.manifest &&
         claim->payload.docker_reference == payload.docker_reference &&
         claim->payload.serial == payload.serial;
}

std::optional<UnverifiedClaim> read_unverified(const Evidence& evidence, const Digest& manifest) {
  if (!evidence.can_be_judged()) return std::nullopt;
  const auto opened = open_evidence(evidence, manifest);
  if (!opened) return std::nullopt;
  auto claim = opened->claim();
  if (!claim || claim->payload.manifest != manifest) return std::nullopt;
  return UnverifiedClaim{std::move(claim->payload.docker_reference), std::move(claim->attestation)};
}

}  // namespace intact::sign
