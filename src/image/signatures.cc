#include "signatures.h"

#include <intact/crypto/base64.h>
#include <intact/json/json.h>
#include <intact/oci/media_types.h>

namespace intact::image {

bool SignatureState::has(const sign::SigningPayload& payload, const sign::PublicKey& key) const {
  const Bytes wanted = sign::encode_payload(payload);
  for (const sign::StoredSignature& signature : signatures) {
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
  std::vector<std::string> others;
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
        state.signatures.push_back({*std::move(payload), std::move(layer.signature_base64)});
        state.payload_descriptors.push_back(std::move(descriptor));
      } else if (is_bad_blob(payload.error())) {
        others.push_back("signature with a missing or damaged payload " +
                         layer.payload.to_string());
      } else {
        return std::move(payload).error().with_context("signature payload");
      }
    }
  }
  for (const std::string& other : others)
    state.others += (state.others.empty() ? "" : ", ") + other;
  return state;
}

Result<oci::Descriptor> put_signature(oci::LayoutWriter& layout, const SignatureState& old,
                                      const sign::SigningPayload& payload,
                                      const sign::PrivateKey& key) {
  const sign::SignatureImage made = TRY(sign::make_signature_image(payload, key));
  TRY(layout.put_blob(made.payload, sign::kSignatureMediaType));
  if (!old.descriptor) {
    TRY(layout.put_blob(made.config, oci::kConfigType));
    return layout.put_blob(made.manifest, oci::kManifestType);
  }
  // Somebody else has signed it as well: one manifest holds all signatures, one layer each.
  oci::Manifest merged = TRY(oci::parse_manifest(old.manifest, ""));
  const oci::Manifest ours = TRY(oci::parse_manifest(made.manifest, ""));
  merged.layers.insert(merged.layers.end(), ours.layers.begin(), ours.layers.end());
  Json config = TRY(parse_json(made.config));
  Json& diff_ids = config["rootfs"]["diff_ids"] = Json::array();
  for (const oci::Descriptor& layer : merged.layers) diff_ids.push_back(layer.digest.to_string());
  merged.config = TRY(layout.put_blob(as_bytes(to_text(config)), oci::kConfigType));
  return layout.put_blob(oci::encode_manifest(merged), oci::kManifestType);
}

Result<void> name_sealed_image(oci::LayoutWriter& layout, const oci::Reference& destination,
                               oci::Descriptor sealed, std::optional<oci::Descriptor> signatures) {
  // cosign looks at the first descriptor of each kind in a layout: the marks move to the newest
  // pair.
  layout.remove_annotation(oci::kCosignKind);
  sealed.annotations[std::string(oci::kCosignKind)] = oci::kCosignKindImage;
  TRY(layout.set_tag(destination.tag, sealed));
  if (!signatures) return {};
  signatures->annotations[std::string(oci::kCosignKind)] = oci::kCosignKindSignatures;
  if (destination.transport != oci::Reference::Transport::oci_archive)
    return layout.set_tag(sign::signature_tag(sealed.digest), *signatures);
  layout.add_unnamed(*signatures);
  return {};
}

}  // namespace intact::image
