#include <fmt/format.h>

#include <intact/crypto/base64.h>
#include <intact/crypto/hash.h>
#include <intact/json/json.h>
#include <intact/sign/identity.h>
#include <intact/sign/signature_image.h>

namespace intact::sign {
namespace {

constexpr std::string_view kManifestMediaType = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view kConfigMediaType = "application/vnd.oci.image.config.v1+json";
constexpr std::size_t kMaxLayers = 1000;

/// Nothing for a layer that holds no signature of this format. An error concerns this layer only.
Result<std::optional<SignatureLayer>> parse_layer(const Json& layer) {
  if (TRY(require_string(layer, "mediaType")) != kSignatureMediaType) return std::nullopt;
  const Json* const annotations = TRY(optional_object(layer, "annotations"));
  if (!annotations) return std::nullopt;
  auto signature = TRY(optional_string(*annotations, kSignatureAnnotation));
  if (!signature || signature->empty()) return std::nullopt;
  if (signature->size() > kMaxSignatureText)
    return Error(ErrorKind::limit, "the signature is too long");
  const std::string digest = TRY(require_string(layer, "digest"));
  SignatureLayer found{TRY(Digest::parse(digest)), TRY(require_uint(layer, "size")),
                       std::move(*signature)};
  if (found.size > kMaxPayloadSize)
    return Error(ErrorKind::limit, "the signed payload is larger than the limit of " +
                                       std::to_string(kMaxPayloadSize) + " bytes");
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

std::string signature_tag(const Digest& manifest) {
  return std::string(to_string(manifest.algorithm())) + "-" + manifest.hex() + ".sig";
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
