#pragma once

#include <optional>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/oci/image_source.h>
#include <intact/oci/layout_writer.h>
#include <intact/oci/reference.h>
#include <intact/sign/key.h>
#include <intact/sign/signature_image.h>

namespace intact::image {

/// The signatures that a source has for a manifest. Only their digests have been checked.
struct SignatureState {
  std::optional<oci::Descriptor> descriptor;  ///< of the signature manifest; nothing: unsigned
  Bytes manifest;
  std::optional<oci::Descriptor> config_descriptor;  ///< of its config, which says nothing of value
  Bytes config;  ///< but is copied with it; nothing if it is missing
  /// Of the signatures whose payload is there; the others are skipped like any bad signature.
  std::vector<oci::Descriptor> payload_descriptors;
  std::vector<sign::StoredSignature> signatures;  ///< in the same order
  /// What else was found, for people: see `others` of sign::check_trust().
  std::string others;

  /// Whether `key` has signed exactly this payload here.
  bool has(const sign::SigningPayload& payload, const sign::PublicKey& key) const;
};

Result<SignatureState> read_signatures(const oci::ImageSource& source, const Digest& manifest);

/// Signs and stages the signature manifest, in which the signatures of `old` stay. Returns its
/// descriptor.
Result<oci::Descriptor> put_signature(oci::LayoutWriter& layout, const SignatureState& old,
                                      const sign::SigningPayload& payload,
                                      const sign::PrivateKey& key);

/// Enters a sealed image and its signature manifest, if there is one, into the index: the image
/// under the tag of `destination`; the signatures, in a directory, under cosign's tag, so that
/// skopeo can copy them. An archive gets them without a name, as `cosign save` does it: containerd
/// unpacks whatever has a name in an archive, and signatures it cannot.
Result<void> name_sealed_image(oci::LayoutWriter& layout, const oci::Reference& destination,
                               oci::Descriptor sealed, std::optional<oci::Descriptor> signatures);

}  // namespace intact::image
