#pragma once

#include <optional>
#include <string>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/image/limits.h>
#include <intact/image/progress.h>
#include <intact/oci/platform.h>
#include <intact/oci/reference.h>
#include <intact/sign/trust.h>
#include <intact/store/store.h>

namespace intact::image {

struct PullOptions {
  sign::Anchors anchors;
  oci::Platform platform = oci::Platform::host();
  bool replace = false;  ///< let the name stand for another image than it did
  bool drop_layers =
      false;  ///< keep no layer blobs: less space, but no export to OCI and no repair
  UnpackLimits limits;
  Progress progress;  ///< may be empty
};

struct PullReport {
  store::NamedImage image;
  std::optional<sign::Verdict> signer;  ///< nothing only with insecure_unsigned
  std::uint64_t objects = 0;            ///< that the image refers to
  std::uint64_t object_bytes = 0;
  std::vector<std::string> warnings;
};

/// Brings an image into the store. In this order: the signature over the manifest's digest is
/// checked against the anchors; manifest, config and layers against their digests, layers again
/// once inflated; then the image that the layers make must have the digest that the signed config
/// names. Only then anything is published, the name last. Without a name: the signed identity, else
/// the tag.
Result<PullReport> pull(const oci::Reference& source, const std::string& name, store::Store& store,
                        const PullOptions& options);

}  // namespace intact::image
