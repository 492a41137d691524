#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/image/seal.h>
#include <intact/oci/image_destination.h>
#include <intact/oci/image_source.h>
#include <intact/oci/reference.h>
#include <intact/sign/key.h>
#include <intact/sign/signature_image.h>
#include <intact/sign/trust.h>
#include <intact/store/store.h>

namespace intact::image {

/// A blob that was read whole and is what its descriptor says.
struct ReadBlob {
  oci::Descriptor descriptor;
  Bytes bytes;
};

/// A manifest of signatures or attestations: cosign's, which a tag leads to, or one that refers to
/// the image (OCI 1.1).
struct SignatureDocument {
  std::string kind;  ///< store::EvidenceRef::kind: that of its first layer
  ReadBlob manifest;
  /// What it points to and is there: its config, which says nothing of value but is copied with it,
  /// and the layers.
  std::vector<ReadBlob> blobs;
};

/// Reads a blob of at most `limit` bytes, which is checked to be what its descriptor says.
using ReadSigned = std::function<Result<Bytes>(const oci::Descriptor& blob, std::size_t limit)>;

/// The evidence of one signature manifest. A layer whose blob is missing or damaged becomes a piece
/// that cannot be judged: bad signatures must not hide good ones.
struct ReadSignatures {
  std::vector<sign::Evidence> pieces;
  std::vector<ReadBlob> blobs;    ///< the layers that are there
  std::optional<Error> damage{};  ///< why another one could not be read
};
Result<ReadSignatures> read_layers(ByteSpan manifest, const ReadSigned& read);

/// Whether a manifest that refers to the image may hold signatures. What it is not needs not be
/// parsed: whole file systems are attached to images in this way.
bool may_hold_signatures(const oci::Descriptor& referrer);

/// The signatures that a source has for a manifest. Only their digests have been checked.
struct SignatureState {
  std::vector<SignatureDocument> documents;
  std::vector<sign::Evidence> evidence;  ///< all of it, to be judged
  /// Why a manifest is not among them: what to tell if no signature is good.
  std::optional<Error> damage = {};

  /// What a record in the store keeps of them.
  std::vector<store::EvidenceRef> references() const;
  /// The manifest of cosign's tag format; null if there is none.
  const SignatureDocument* classic() const;
  /// Whether `key` has signed exactly this payload here, in this form.
  bool has(const sign::SigningPayload& payload, const sign::PublicKey& key,
           std::string_view kind) const;
};

/// Reads cosign's tags of signatures and attestations, and all manifests that refer to `manifest`.
/// A listing that fails is an error: it never means "unsigned". limit: more than
/// sign::kMaxSignatures pieces.
Result<SignatureState> read_signatures(const oci::ImageSource& source,
                                       const oci::Descriptor& manifest);

/// Who signs, and how that is stored.
struct Signing {
  const sign::PrivateKey& key;
  const std::optional<crypto::CertificateChain>& certificates;  ///< for Notation
  SignatureFormat format;
};

struct PutSignatures {
  Digest manifest;         ///< a manifest of signatures in the form that was asked for
  bool unchanged = false;  ///< it was there already
};
/// Signs, stages what the format asks for and `old` has not, and enters it beside the manifest,
/// where the signatures of `old` stay.
Result<PutSignatures> put_signatures(oci::ImageDestination& destination,
                                     const oci::Descriptor& manifest, const SignatureState& old,
                                     const sign::SigningPayload& payload, const Signing& signing);

/// Enters signature documents that are staged as the place of destination wants them.
Result<void> put_documents(oci::ImageDestination& destination, const oci::Descriptor& manifest,
                           const std::vector<SignatureDocument>& documents);

}  // namespace intact::image
