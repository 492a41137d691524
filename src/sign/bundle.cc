#include <algorithm>

#include <fmt/format.h>

#include <intact/crypto/base64.h>
#include <intact/crypto/hash.h>
#include <intact/json/json.h>
#include <intact/sign/bundle.h>
#include <intact/sign/identity.h>

#include "proto_json.h"

namespace intact::sign {
namespace {

constexpr std::string_view kTypePrefix = "application/vnd.dev.sigstore.bundle";
constexpr std::string_view kKnownTypes[] = {
    kBundleMediaType,
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
};

Result<Bytes> parse_certificate(const Json& object) {
  return require_bytes(object, "rawBytes", "raw_bytes");
}

Result<void> parse_material(const Json& document, Bundle& bundle) {
  const Json* const material =
      TRY(find_either(document, "verificationMaterial", "verification_material"));
  if (!material || !material->is_object())
    return Error(ErrorKind::malformed, "JSON: \"verificationMaterial\" is missing");
  const Json* const key = TRY(find_either(*material, "publicKey", "public_key"));
  const Json* const certificate = TRY(find_member(*material, "certificate"));
  const Json* const chain =
      TRY(find_either(*material, "x509CertificateChain", "x509_certificate_chain"));
  if ((key != nullptr) + (certificate != nullptr) + (chain != nullptr) != 1)
    return Error(ErrorKind::malformed,
                 "names not exactly one of a key, a certificate and a chain of certificates");
  if (key) {
    bundle.key_hint = TRY(optional_string(*key, "hint")).value_or("");
  } else if (certificate) {
    bundle.certificates.push_back(TRY(parse_certificate(*certificate)));
  } else {
    const Json& certificates = *TRY(require_array(*chain, "certificates"));
    if (certificates.empty()) return Error(ErrorKind::malformed, "an empty chain of certificates");
    if (certificates.size() > kMaxCertificates)
      return Error(ErrorKind::limit, fmt::format("more than {} certificates", kMaxCertificates));
    for (const Json& item : certificates)
      bundle.certificates.push_back(TRY(parse_certificate(item)));
  }
  return {};
}

Result<void> parse_content(const Json& document, Bundle& bundle) {
  const Json* const envelope = TRY(find_either(document, "dsseEnvelope", "dsse_envelope"));
  const Json* const message = TRY(find_either(document, "messageSignature", "message_signature"));
  if ((envelope != nullptr) == (message != nullptr))
    return Error(ErrorKind::malformed, "has not exactly one of an envelope and a signature");
  if (message) {
    TRY(require_bytes(*message, "signature", "signature"));
    return {};
  }
  bundle.envelope = TRY(parse_envelope(*envelope));
  if (bundle.envelope->signatures.size() != 1)
    return Error(ErrorKind::malformed, "an envelope with several signatures");
  return {};
}

}  // namespace

bool is_bundle_type(std::string_view media_type) {
  return media_type.starts_with(kTypePrefix);
}

Result<Bundle> parse_bundle(ByteSpan json) {
  const auto parse = [&]() -> Result<Bundle> {
    const Json document =
        TRY(parse_json(json, {.bytes = kMaxBundleSize, .depth = 32, .values = 100'000}));
    const std::string type = TRY(require_text(document, "mediaType", "media_type"));
    if (std::ranges::find(kKnownTypes, type) == std::end(kKnownTypes))
      return Error(is_bundle_type(type) ? ErrorKind::unsupported : ErrorKind::malformed,
                   "not a sigstore bundle of version 0.1 to 0.3");
    Bundle bundle;
    TRY(parse_material(document, bundle));
    TRY(parse_content(document, bundle));
    return bundle;
  };
  return parse().context("sigstore bundle");
}

Result<Bytes> make_bundle(const SigningPayload& payload, const PrivateKey& key) {
  if (!payload.docker_reference.empty()) TRY(parse_identity(payload.docker_reference));
  const Bytes statement = encode_signature_statement(payload);
  const Bytes signature = TRY(key.sign(signed_bytes(kStatementType, statement)));
  // cosign compares the hint with the key that it verifies with.
  const Digest fingerprint = crypto::sha256(key.signing_key().verifying_key().spki());
  return to_bytes(fmt::format(
      R"({{"mediaType":"{}","verificationMaterial":{{"publicKey":{{"hint":"{}"}}}},)"
      R"("dsseEnvelope":{{"payload":"{}","payloadType":"{}","signatures":[{{"sig":"{}"}}]}}}})",
      kBundleMediaType, crypto::encode_base64(fingerprint.bytes()),
      crypto::encode_base64(statement), kStatementType, crypto::encode_base64(signature)));
}

}  // namespace intact::sign
