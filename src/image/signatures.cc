#include "signatures.h"

#include <intact/crypto/base64.h>
#include <intact/json/json.h>
#include <intact/oci/media_types.h>

namespace intact::image {

std::vector<sign::Evidence> SignatureState::evidence() const {
  std::vector<sign::Evidence> all = signatures;
  all.insert(all.end(), foreign.begin(), foreign.end());
  return all;
}

std::vector<store::EvidenceRef> SignatureState::references() const {
  if (!descriptor) return {};
  return {{std::string(sign::kSimpleSigning), descriptor->digest}};
}

bool SignatureState::has(const sign::SigningPayload& payload, const sign::PublicKey& key) const {
  const Bytes wanted = sign::encode_payload(payload);
  for (const sign::Evidence& signature : signatures) {
    if (!equal(signature.payload, wanted)) continue;
    const auto bytes = crypto::decode_base64(signature.signature_base64);
    if (bytes && key.verify(signature.payload, *bytes)) return true;
  }
  return false;
}

namespace {

/// Whether a blob is missing or is not what its digest says. Other errors are ours.
bool is_bad_blob(const Error& error) {
  return error.kind() == ErrorKind::not_found || error.kind() == ErrorKind::tampered ||
         error.kind() == ErrorKind::malformed;
}

}  // namespace

Result<SignatureState> read_signatures(const oci::ImageSource& source, const Digest& manifest) {
  SignatureState state;
  state.descriptor = TRY(source.find_signatures(manifest));
  if (state.descriptor) {
    state.manifest = TRY(source.read_document(*state.descriptor).context("signature manifest"));
    // A signature that others have entered badly must not hide the good ones.
    if (const auto parsed = oci::parse_manifest(state.manifest, "")) {
      auto config = source.read_document(parsed->config);
      if (!config && config.error().kind() != ErrorKind::not_found)
        return std::move(config).error().with_context("signature config");
      if (config) {
        state.config_descriptor = parsed->config;
        state.config = *std::move(config);
      }
    }
    for (sign::SignatureLayer& layer :
         TRY(sign::parse_signature_manifest(state.manifest).context("signature manifest"))) {
      oci::Descriptor descriptor{.media_type = std::string(sign::kSignatureMediaType),
                                 .digest = layer.payload,
                                 .size = layer.size};
      auto payload = source.read_document(descriptor);
      if (payload) {
        state.signatures.push_back({.payload = *std::move(payload),
                                    .signature_base64 = std::move(layer.signature_base64),
                                    .what = "signature " + layer.payload.to_string()});
        state.payload_descriptors.push_back(std::move(descriptor));
      } else if (is_bad_blob(payload.error())) {
        state.foreign.push_back(sign::foreign_evidence(
            "signature with a missing or damaged payload " + layer.payload.to_string()));
      } else {
        return std::move(payload).error().with_context("signature payload");
      }
    }
  }
  return state;
}

Result<oci::Descriptor> put_signature(oci::ImageDestination& destination, const SignatureState& old,
                                      const sign::SigningPayload& payload,
                                      const sign::PrivateKey& key) {
  const sign::SignatureImage made = TRY(sign::make_signature_image(payload, key));
  TRY(destination.put_document(made.payload, sign::kSignatureMediaType));
  if (!old.descriptor) {
    TRY(destination.put_document(made.config, oci::kConfigType));
    return destination.put_document(made.manifest, oci::kManifestType);
  }
  // Somebody else has signed it as well: one manifest holds all signatures, one layer each.
  oci::Manifest merged = TRY(oci::parse_manifest(old.manifest, ""));
  const oci::Manifest ours = TRY(oci::parse_manifest(made.manifest, ""));
  merged.layers.insert(merged.layers.end(), ours.layers.begin(), ours.layers.end());
  Json config = TRY(parse_json(made.config));
  Json& diff_ids = config["rootfs"]["diff_ids"] = Json::array();
  for (const oci::Descriptor& layer : merged.layers) diff_ids.push_back(layer.digest.to_string());
  merged.config = TRY(destination.put_document(as_bytes(to_text(config)), oci::kConfigType));
  return destination.put_document(oci::encode_manifest(merged), oci::kManifestType);
}

}  // namespace intact::image
