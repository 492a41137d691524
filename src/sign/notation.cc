#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <intact/crypto/hash.h>
#include <intact/json/json.h>
#include <intact/sign/identity.h>
#include <intact/sign/notation.h>
#include <intact/sign/signed_time.h>
#include <intact/sign/statement.h>

#include "claims.h"
#include "go_json.h"
#include "notation_envelopes.h"
#include "notation_names.h"

namespace intact::sign {
namespace {

using crypto::KeyType;
using crypto::SignatureScheme;

constexpr NotationAlgorithm kAlgorithms[] = {
    {"ES256", -7, SignatureScheme::ecdsa_sha256, true},
    {"ES384", -35, SignatureScheme::ecdsa_sha384, true},
    {"ES512", -36, SignatureScheme::ecdsa_sha512, true},
    {"PS256", -37, SignatureScheme::rsa_pss_sha256, false},
    {"PS384", -38, SignatureScheme::rsa_pss_sha384, false},
    {"PS512", -39, SignatureScheme::rsa_pss_sha512, false},
};

Result<NotationAlgorithm> find(bool (*matches)(const NotationAlgorithm&, std::string_view,
                                               std::int64_t),
                               std::string_view name, std::int64_t number) {
  for (const NotationAlgorithm& algorithm : kAlgorithms)
    if (matches(algorithm, name, number)) return algorithm;
  return Error(ErrorKind::unsupported, "an unknown signature algorithm");
}

Bytes encode_notation_payload(const SigningPayload& payload, const SignedManifest& subject) {
  // The envelope has the time.
  std::string annotations =
      encode_annotations({payload.docker_reference, payload.manifest, {}, payload.serial});
  if (!annotations.empty()) annotations = R"("annotations":{)" + annotations + "},";
  return to_bytes(fmt::format(
      R"({{"targetArtifact":{{{}"digest":"{}","mediaType":{},"size":{}}}}})", annotations,
      subject.digest.to_string(), go_quote(subject.media_type), subject.size));
}

}  // namespace

Result<NotationAlgorithm> algorithm_for(const crypto::VerifyingKey& key) {
  switch (key.type()) {
    case KeyType::ecdsa_p256:
      return kAlgorithms[0];
    case KeyType::ecdsa_p384:
      return kAlgorithms[1];
    case KeyType::ecdsa_p521:
      return kAlgorithms[2];
    case KeyType::rsa:
      if (key.bits() == 2048) return kAlgorithms[3];
      if (key.bits() == 3072) return kAlgorithms[4];
      if (key.bits() == 4096) return kAlgorithms[5];
      break;
    case KeyType::ed25519:
      break;
  }
  return Error(
      ErrorKind::unsupported,
      "Notation has no algorithm for such a key; it takes ECDSA keys and RSA keys of 2048, "
      "3072 or 4096 bits");
}

Result<NotationAlgorithm> algorithm_named(std::string_view jws) {
  return find([](const NotationAlgorithm& algorithm, std::string_view name,
                 std::int64_t) { return algorithm.jws == name; },
              jws, 0);
}

Result<NotationAlgorithm> algorithm_numbered(std::int64_t cose) {
  return find([](const NotationAlgorithm& algorithm, std::string_view,
                 std::int64_t number) { return algorithm.cose == number; },
              {}, cose);
}

Result<Bytes> unpack_signature(const NotationAlgorithm& algorithm, ByteSpan signature) {
  if (!algorithm.is_ecdsa) return Bytes(signature.begin(), signature.end());
  const KeyType curve = algorithm.scheme == SignatureScheme::ecdsa_sha256   ? KeyType::ecdsa_p256
                        : algorithm.scheme == SignatureScheme::ecdsa_sha384 ? KeyType::ecdsa_p384
                                                                            : KeyType::ecdsa_p521;
  return crypto::ecdsa_from_raw(curve, signature);
}

Result<Bytes> pack_signature(const NotationAlgorithm& algorithm, KeyType type, ByteSpan signature) {
  if (!algorithm.is_ecdsa) return Bytes(signature.begin(), signature.end());
  return crypto::ecdsa_to_raw(type, signature);
}

Result<void> check_attributes(std::string_view scheme, std::string_view content_type,
                              const std::vector<std::string>& critical) {
  if (scheme != kX509Scheme)
    return Error(ErrorKind::unsupported,
                 "a signing scheme other than '" + std::string(kX509Scheme) + "'");
  if (content_type != kPayloadType)
    return Error(ErrorKind::unsupported, "something other than a payload of the Notary Project");
  bool names_scheme = false;
  for (const std::string& name : critical) {
    if (name != kSchemeAttribute && name != kExpiryAttribute)
      return Error(ErrorKind::unsupported, "a critical attribute that is not known");
    names_scheme = names_scheme || name == kSchemeAttribute;
  }
  if (!names_scheme)
    return Error(ErrorKind::malformed, "the signing scheme is not marked as critical");
  return {};
}

Result<SigningPayload> parse_notation_payload(ByteSpan payload) {
  const auto parse = [&]() -> Result<SigningPayload> {
    const Json document =
        TRY(parse_json(payload, {.bytes = kMaxNotationSize, .depth = 16, .values = 10'000}));
    const Json& artifact = *TRY(require_object(document, "targetArtifact"));
    const std::string digest = TRY(require_string(artifact, "digest"));
    SigningPayload parsed{.docker_reference = {}, .manifest = TRY(Digest::parse(digest))};
    if (const Json* const annotations = TRY(optional_object(artifact, "annotations")))
      TRY(read_annotations(*annotations, parsed));
    return parsed;
  };
  return parse().context("signed payload");
}

Result<Bytes> make_notation(const SigningPayload& payload, const SignedManifest& subject,
                            const PrivateKey& key, const crypto::CertificateChain& chain,
                            std::int64_t time, NotationFormat format) {
  if (!payload.docker_reference.empty()) TRY(parse_identity(payload.docker_reference));
  if (key.signing_key().verifying_key().spki() != chain.key().spki())
    return Error(ErrorKind::invalid_argument, "the first certificate is that of another key");
  const NotationAlgorithm algorithm = TRY(algorithm_for(chain.key()));
  const Bytes signed_payload = encode_notation_payload(payload, subject);
  const auto sign = [&](ByteSpan message) -> Result<Bytes> {
    const Bytes signature = TRY(key.signing_key().sign(algorithm.scheme, message));
    return pack_signature(algorithm, chain.key().type(), signature);
  };
  return format == NotationFormat::jws
             ? write_jws(algorithm, signed_payload, chain, format_time(time), sign)
             : write_cose(algorithm, signed_payload, chain, time, sign);
}

SignatureImage wrap_notation(Bytes envelope, const SignedManifest& subject,
                             const crypto::CertificateChain& chain, std::int64_t time,
                             NotationFormat format) {
  std::vector<std::string> thumbprints;
  for (const crypto::Certificate& certificate : chain.certificates())
    thumbprints.push_back(fmt::format(R"("{}")", crypto::sha256(certificate.der()).hex()));
  SignatureImage image;
  image.config = to_bytes("{}");
  // In notation's order. It has no artifactType: the config's media type is the mark.
  image.manifest = to_bytes(fmt::format(
      R"({{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
      R"("config":{{"mediaType":"{}","digest":"{}","size":{}}},)"
      R"("layers":[{{"mediaType":"{}","digest":"{}","size":{}}}],)"
      R"("subject":{{"mediaType":{},"digest":"{}","size":{}}},)"
      R"("annotations":{{"io.cncf.notary.x509chain.thumbprint#S256":{},)"
      R"("org.opencontainers.image.created":"{}"}}}})",
      kNotationArtifactType, crypto::sha256(image.config).to_string(), image.config.size(),
      format == NotationFormat::jws ? kJwsMediaType : kCoseMediaType,
      crypto::sha256(envelope).to_string(), envelope.size(), go_quote(subject.media_type),
      subject.digest.to_string(), subject.size,
      go_quote(fmt::format("[{}]", fmt::join(thumbprints, ","))), format_time(time)));
  image.payload = std::move(envelope);
  return image;
}

}  // namespace intact::sign
