#pragma once

#include <optional>
#include <string>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/progress.h>
#include <intact/base/result.h>
#include <intact/image/chain.h>
#include <intact/image/work.h>
#include <intact/oci/descriptor.h>
#include <intact/oci/reference.h>
#include <intact/registry/registry.h>
#include <intact/sign/trust.h>
#include <intact/store/store.h>

namespace intact::image {

struct PullOptions {
  sign::Anchors anchors;
  /// Wanted by the user, so an image for another one is refused. Without it an index is searched
  /// for the host's, and a single image is taken as it is.
  std::optional<oci::Platform> platform = {};
  bool replace = false;      ///< the name may refer to another image already
  bool allow_older = false;  ///< the image may have a lower serial number than one pulled before
  /// Keep no layer blobs: takes less space, but rules out export to OCI and repair.
  bool drop_layers = false;
  /// Read and hash everything even if the store has the image under this name already.
  bool verify = false;
  UnpackLimits limits;
  registry::Options registry = {};  ///< for a source in one
  ProgressOfSteps progress;         ///< may be empty
};

struct PullReport {
  store::NamedImage image;
  std::optional<sign::Verdict> signer;  ///< nothing if `basis` is not a signature
  sign::Basis basis = sign::Basis::none;
  SealKind seal = SealKind::publisher;  ///< who says which image it is
  std::uint64_t objects = 0;            ///< that the image refers to
  std::uint64_t object_bytes = 0;
  std::uint64_t layers = 0;         ///< of the image
  std::uint64_t reused_layers = 0;  ///< taken from the store, and not read from the source
  /// The store had the image under this name. Without PullOptions::verify its documents and its
  /// metadata were hashed, and of objects and layers only the sizes were checked.
  bool unchanged = false;
  std::vector<std::string> warnings;
};

/// Copies an image into the store. In this order: the signature over the manifest's digest is
/// checked against the anchors; manifest, config and layers against their digests, and layers again
/// once inflated; then the image that the layers make must have the digest that the signed config
/// names, or is sealed locally (see Chain::local_seal) if the publisher has not sealed it. Only
/// then is anything published, the name last. The default name is the signed identity, or else the
/// tag. An image that is in the store already is not read again unless something of it is missing
/// or has another size.
Result<PullReport> pull(const oci::Reference& source, const std::string& name, store::Store& store,
                        const PullOptions& options);

}  // namespace intact::image
