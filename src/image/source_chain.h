#pragma once

#include <memory>
#include <optional>
#include <string>

#include <intact/image/chain.h>
#include <intact/oci/descriptor.h>
#include <intact/oci/image_source.h>
#include <intact/oci/reference.h>
#include <intact/registry/registry.h>

#include "composefs_annotations.h"
#include "signatures.h"

namespace intact::image {

/// An image in a layout, an archive or a registry whose chain of trust has been checked down to the
/// signed digest; its layers have not been looked at.
struct SourceChain {
  std::unique_ptr<oci::ImageSource> source;
  Chain chain;
  Bytes manifest_bytes;
  Bytes config_bytes;
  SignatureState signatures;
  sign::Anchors anchors;  ///< by which it was judged: those of the caller, and where it comes from
  /// Whether its labels or, without these, an annotation names the image; otherwise chain.image is
  /// empty, and known only once its layers have been unpacked.
  bool is_sealed = false;
  /// Where there are no labels: what annotations say. The image is then that of the canonical tree,
  /// which must have all of these digests.
  AlgorithmDigests merged;
  /// The image that its labels name, if that was found to be the image of its base (stale_seal.h):
  /// then it is not sealed.
  std::optional<Digest> base = {};
  std::string suggested_name;  ///< the signed identity, else the tag that was given, else empty
  std::string unsigned_name;   ///< what the source calls the image, which its maker chose
};

/// As check_chain(), for an image that is not in a store. `name`: what it is to be called, for the
/// identity rules; may be empty. `platform`: see PullOptions::platform.
Result<SourceChain> check_source_chain(const oci::Reference& reference, const std::string& name,
                                       const std::optional<oci::Platform>& platform,
                                       const sign::Anchors& anchors,
                                       const oci::DecompressLimits& limits,
                                       const registry::Options& registry);

/// Judges it by the name that it gets, which may not have been known before. Errors: untrusted.
Result<void> check_for_name(SourceChain& source, const std::string& name);

/// unsupported unless an image with this config is one for `wanted`.
Result<void> check_platform(const oci::ImageConfig& config,
                            const std::optional<oci::Platform>& wanted);

}  // namespace intact::image
