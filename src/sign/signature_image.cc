#include <algorithm>

#include <fmt/format.h>

#include <intact/crypto/base64.h>
#include <intact/crypto/hash.h>
#include <intact/json/json.h>
#include <intact/sign/bundle.h>
#include <intact/sign/identity.h>
#include <intact/sign/notation.h>
#include <intact/sign/signature_image.h>

namespace intact::sign {
namespace {

constexpr std::string_view kManifestMediaType = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view kConfigMediaType = "application/vnd.oci.image.config.v1+json";
constexpr std::size_t kMaxLayers = 1000;

constexpr std::string_view kEmptyType = "application/vnd.oci.empty.v1+json";
constexpr std::string_view kEmptyConfig = "{}";

/// Empty for a media type of nothing that can be judged.
std::string_view kind_of(std::string_view media_type) {
  if (media_type == kSignatureMediaType) return kSimpleSigning;
  if (media_type == kEnvelopeMediaType) return kDsse;
  if (media_type == kJwsMediaType) return kNotationJws;
  if (media_type == kCoseMediaType) return kNotationCose;
  return is_bundle_type(media_type) ? kSigstoreBundle : "";
}

/// Nothing for a layer that holds no signature. An error concerns this layer only.
Result<std::optional<SignatureLayer>> parse_layer(const Json& layer) {
  SignatureLayer found;
  found.media_type = TRY(require_string(layer, "mediaType"));
  found.kind = kind_of(found.media_type);
  if (found.kind.empty()) return std::nullopt;
  if (found.kind == kSimpleSigning) {
    const Json* const annotations = TRY(optional_object(layer, "annotations"));
    if (!annotations) return std::nullopt;
    found.signature_base64 = TRY(optional_string(*annotations, kSignatureAnnotation)).value_or("");
    if (found.signature_base64.empty()) return std::nullopt;
    if (found.signature_base64.size() > kMaxSignatureText)
      return Error(ErrorKind::limit, "the signature is too long");
  }
  const std::string digest = TRY(require_string(layer, "digest"));
  found.payload = TRY(Digest::parse(digest));
  found.size = TRY(require_uint(layer, "size"));
  if (found.size > max_payload_size(found.kind))
    return Error(ErrorKind::limit,
                 fmt::format("the signed payload is larger than the limit of {} bytes",
                             max_payload_size(found.kind)));
  return found;
}

}  // namespace

SignatureImage wrap_signature(Bytes payload, ByteSpan signature) {
  const std::string payload_digest = crypto::sha256(payload).to_string();
  SignatureImage image;
  // Byte for byte what cosign writes, so that nobody meets a form they have not seen before; the
  // fixed time also makes it reproducible.
  image.config =
      to_bytes(fmt::format(R"({{"architecture":"","created":"0001-01-01T00:00:00Z",)"
                           R"("history":[{{"created":"0001-01-01T00:00:00Z"}}],"os":"",)"
                           R"("rootfs":{{"type":"layers","diff_ids":["{}"]}},"config":{{}}}})",
                           payload_digest));
  image.manifest = to_bytes(fmt::format(
      R"({{"schemaVersion":2,"mediaType":"{}",)"
      R"("config":{{"mediaType":"{}","size":{},"digest":"{}"}},)"
      R"("layers":[{{"mediaType":"{}","size":{},"digest":"{}","annotations":{{"{}":"{}"}}}}]}})",
      kManifestMediaType, kConfigMediaType, image.config.size(),
      crypto::sha256(image.config).to_string(), kSignatureMediaType, payload.size(), payload_digest,
      kSignatureAnnotation, crypto::encode_base64(signature)));
  image.payload = std::move(payload);
  return image;
}

Result<SignatureImage> make_signature_image(const SigningPayload& payload, const PrivateKey& key) {
  if (!payload.docker_reference.empty()) TRY(parse_identity(payload.docker_reference));
  Bytes bytes = encode_payload(payload);
  const Bytes signature = TRY(key.sign(bytes));
  return wrap_signature(std::move(bytes), signature);
}

SignatureImage wrap_bundle(Bytes bundle, const SignedManifest& subject) {
  SignatureImage image;
  image.config = to_bytes(kEmptyConfig);
  // In cosign's order. The type is in the config's descriptor as well, as cosign has it.
  image.manifest = to_bytes(
      fmt::format(R"({{"schemaVersion":2,"mediaType":"{}",)"
                  R"("config":{{"mediaType":"{}","size":{},"digest":"{}","artifactType":"{}"}},)"
                  R"("layers":[{{"mediaType":"{}","size":{},"digest":"{}"}}],)"
                  R"("annotations":{{"dev.sigstore.bundle.content":"dsse-envelope",)"
                  R"("dev.sigstore.bundle.predicateType":"{}"}},)"
                  R"("subject":{{"mediaType":"{}","size":{},"digest":"{}"}},"artifactType":"{}"}})",
                  kManifestMediaType, kEmptyType, image.config.size(),
                  crypto::sha256(image.config).to_string(), kBundleMediaType, kBundleMediaType,
                  bundle.size(), crypto::sha256(bundle).to_string(), kSignaturePredicate,
                  subject.media_type, subject.size, subject.digest.to_string(), kBundleMediaType));
  image.payload = std::move(bundle);
  return image;
}

std::string signature_tag(const Digest& manifest) {
  return std::string(to_string(manifest.algorithm())) + "-" + manifest.hex() + ".sig";
}

std::size_t max_payload_size(std::string_view kind) {
  if (kind == kSimpleSigning) return kMaxPayloadSize;
  return kind == kNotationJws || kind == kNotationCose ? kMaxNotationSize : kMaxBundleSize;
}

bool is_known_kind(std::string_view kind) {
  constexpr std::string_view kKinds[] = {kSimpleSigning, kSigstoreBundle, kDsse, kNotationJws,
                                         kNotationCose};
  return std::ranges::find(kKinds, kind) != std::end(kKinds);
}

Result<std::vector<SignatureLayer>> parse_signature_manifest(ByteSpan manifest) {
  const auto parse = [&]() -> Result<std::vector<SignatureLayer>> {
    const Json document = TRY(
        parse_json(manifest, {.bytes = kMaxSignatureManifestSize, .depth = 16, .values = 100'000}));
    if (TRY(require_uint(document, "schemaVersion")) != 2)
      return Error(ErrorKind::unsupported, "schemaVersion is not 2");
    const auto type = TRY(optional_string(document, "mediaType"));
    if (type && *type != kManifestMediaType)
      return Error(ErrorKind::unsupported, "not an OCI image manifest");
    const Json& layers = *TRY(require_array(document, "layers"));
    if (layers.size() > kMaxLayers) return Error(ErrorKind::limit, "too many layers");
    std::vector<SignatureLayer> found;
    for (const Json& layer : layers) {
      // One bad signature must not hide the good ones.
      auto signature = parse_layer(layer);
      if (!signature || !*signature) continue;
      if (found.size() == kMaxSignatures) return Error(ErrorKind::limit, "too many signatures");
      found.push_back(**std::move(signature));
    }
    return found;
  };
  return parse().context("signature manifest");
}

}  // namespace intact::sign
