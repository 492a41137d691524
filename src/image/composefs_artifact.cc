#include "composefs_artifact.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <intact/fsverity/params.h>
#include <intact/fsverity/tree.h>
#include <intact/oci/media_types.h>

namespace intact::image {
namespace {

constexpr std::string_view kArtifactType = "application/vnd.composefs.metadata.v1";
constexpr std::string_view kSignatureType = "application/vnd.composefs.signature.v1+pkcs7";

/// A digest that is signed, with the key of its annotation.
struct Signed {
  std::string key;
  Digest digest;
};

/// In the order that the specification gives them.
std::vector<Signed> signed_digests(const ArtifactSubject& subject, const Digest& merged) {
  const HashAlgorithm algorithm = merged.algorithm();
  const std::string suffix = "fsverity-" + std::string(to_string(algorithm)) + "-12";
  const fsverity::Params params{.algorithm = algorithm};
  return {{"composefs.manifest." + suffix, fsverity::digest_of(subject.manifest_bytes, params)},
          {"composefs.config." + suffix, fsverity::digest_of(subject.config_bytes, params)},
          {"composefs.merged.erofs.v1." + suffix, merged}};
}

/// Whether a manifest that refers to the image is the artifact that would be made. What cannot be
/// read is not.
bool is_artifact(const oci::ImageSource& source, const oci::Descriptor& referrer,
                 const std::vector<Signed>& wanted, const crypto::Certificate& certificate) {
  if (referrer.artifact_type != kArtifactType) return false;
  const auto bytes = source.read_document(referrer);
  if (!bytes) return false;
  const auto manifest = oci::parse_manifest(*bytes, referrer.media_type);
  if (!manifest || manifest->layers.size() != wanted.size()) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const oci::Descriptor& layer = manifest->layers[i];
    if (layer.media_type != kSignatureType || layer.size > crypto::kMaxPkcs7Size ||
        layer.annotation(wanted[i].key) != wanted[i].digest.hex())
      return false;
    const auto signature = source.read_document(layer);
    if (!signature ||
        !crypto::verify_pkcs7(*signature, fsverity::format_for_builtin_signature(wanted[i].digest),
                              {certificate}))
      return false;
  }
  return true;
}

Result<void> put_artifact(oci::ImageDestination& destination, const oci::Descriptor& subject,
                          const std::vector<Signed>& digests, const crypto::SigningKey& key,
                          const crypto::Certificate& certificate) {
  oci::Manifest artifact;
  artifact.media_type = oci::kManifestType;
  artifact.artifact_type = kArtifactType;
  artifact.config = TRY(destination.put_document(as_bytes("{}"), oci::kEmptyType));
  artifact.subject = oci::Descriptor{
      .media_type = subject.media_type, .digest = subject.digest, .size = subject.size};
  artifact.layers.reserve(digests.size());
  for (const Signed& item : digests) {
    const Bytes signature = TRY(
        crypto::sign_pkcs7(fsverity::format_for_builtin_signature(item.digest), key, certificate));
    oci::Descriptor layer = TRY(destination.put_document(signature, kSignatureType));
    layer.annotations.insert_or_assign(item.key, item.digest.hex());
    artifact.layers.push_back(std::move(layer));
  }
  oci::Descriptor referrer =
      TRY(destination.put_document(oci::encode_manifest(artifact), oci::kManifestType));
  referrer.artifact_type = kArtifactType;
  return destination.put_referrer(subject, referrer);
}

}  // namespace

Result<bool> put_composefs_artifacts(oci::ImageDestination& destination,
                                     const oci::ImageSource& reader, const ArtifactSubject& subject,
                                     const crypto::SigningKey& key,
                                     const crypto::Certificate& certificate) {
  const std::vector<oci::Descriptor> referrers = TRY(reader.referrers(subject.manifest.digest));
  bool unchanged = true;
  for (const std::optional<Digest>& merged : {subject.merged.sha512, subject.merged.sha256}) {
    if (!merged) continue;
    const std::vector<Signed> digests = signed_digests(subject, *merged);
    if (std::ranges::any_of(referrers, [&](const oci::Descriptor& referrer) {
          return is_artifact(reader, referrer, digests, certificate);
        }))
      continue;
    TRY(put_artifact(destination, subject.manifest, digests, key, certificate));
    unchanged = false;
  }
  return unchanged;
}

}  // namespace intact::image
