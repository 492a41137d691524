#pragma once

#include <optional>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/image/labels.h>
#include <intact/oci/config.h>
#include <intact/oci/manifest.h>
#include <intact/store/store.h>

#include "canonical_tree.h"

namespace intact::image {

/// What the annotations of composefs-rs's sealing specification say of an image, or an algorithm of
/// each kind: fs-verity digests with blocks of 4096 bytes and no salt.
struct AlgorithmDigests {
  std::optional<Digest> sha256;
  std::optional<Digest> sha512;
  bool any() const { return sha256 || sha512; }
};

/// The digests of the EROFS images that the canonical tree makes.
Result<AlgorithmDigests> merged_digests(const CanonicalTree& canonical, const Sha512Digests* sha512,
                                        const CanonicalRules& rules = {});

/// The `composefs.merged.erofs.v1.*` of a manifest; others of the specification, such as those of
/// images that boot or have larger blocks, are not looked at. malformed: not a digest.
Result<AlgorithmDigests> annotated_merged(const oci::Manifest& manifest);

/// The image that an image without labels is sealed as, if its manifest has the digest that
/// a store keeps images by. Its tree is the canonical one.
std::optional<store::ImageId> sealed_by_annotation(const AlgorithmDigests& merged);

/// Whom a stored image's documents name as its image: the labels, or where there are none the
/// annotation.
Result<std::optional<store::ImageId>> sealed_image(const oci::Manifest& manifest,
                                                   const oci::ImageConfig& config);

/// tampered unless the config is the one that the manifest's `composefs.config.*` name, if any.
Result<void> check_config_annotations(const oci::Manifest& manifest, ByteSpan config);

/// Removes all annotations of the specification from the manifest, the config's and the layers'
/// descriptors: they are of the image that the manifest was, or nobody knows of which.
void drop_composefs_annotations(oci::Manifest& manifest);

/// Sets `composefs.merged.*` of the manifest and `composefs.config.*` of its config, whose bytes
/// are `config`.
void put_composefs_annotations(oci::Manifest& manifest, const AlgorithmDigests& merged,
                               ByteSpan config);

/// tampered unless the canonical tree of the layers makes the images that `wanted` names. If
/// another rule for making trees would, the message names it.
Result<void> check_merged(const CanonicalTree& canonical, const Sha512Digests* sha512,
                          const AlgorithmDigests& wanted);

}  // namespace intact::image
