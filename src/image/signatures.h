#pragma once

#include <optional>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/oci/image_destination.h>
#include <intact/oci/image_source.h>
#include <intact/oci/reference.h>
#include <intact/sign/key.h>
#include <intact/sign/signature_image.h>
#include <intact/sign/trust.h>
#include <intact/store/store.h>

namespace intact::image {

/// The signatures that a source has for a manifest. Only their digests have been checked.
struct SignatureState {
  std::optional<oci::Descriptor> descriptor;  ///< of the signature manifest; nothing: unsigned
  Bytes manifest;
  std::optional<oci::Descriptor> config_descriptor;  ///< of its config, which says nothing of value
  Bytes config;  ///< but is copied with it; nothing if it is missing
  /// Of the signatures whose payload is there; the others are skipped like any bad signature.
  std::vector<oci::Descriptor> payload_descriptors;
  std::vector<sign::Evidence> signatures;  ///< in the same order
  std::vector<sign::Evidence> foreign;     ///< what else was found

  /// All of it, to be judged.
  std::vector<sign::Evidence> evidence() const;

  /// What a record in the store keeps of them.
  std::vector<store::EvidenceRef> references() const;
  /// Whether `key` has signed exactly this payload here.
  bool has(const sign::SigningPayload& payload, const sign::PublicKey& key) const;
};

Result<SignatureState> read_signatures(const oci::ImageSource& source, const Digest& manifest);

/// Signs and stages the signature manifest, in which the signatures of `old` stay. Returns its
/// descriptor.
Result<oci::Descriptor> put_signature(oci::ImageDestination& destination, const SignatureState& old,
                                      const sign::SigningPayload& payload,
                                      const sign::PrivateKey& key);

}  // namespace intact::image
