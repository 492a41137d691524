#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <intact/base/damage.h>
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
#include <intact/tree/tree.h>

namespace intact::image {

/// A layer of an image that is not in the store, as a whole: within it nothing has a digest.
struct LayerCheck {
  Digest digest;
  std::uint64_t size = 0;  ///< bytes, as it is stored
  bool good = false;
};

/// What Damage::object is for a blob.
inline std::string object_of_blob(const Digest& blob) {
  return "blobs/" + std::string(to_string(blob.algorithm())) + "/" + blob.hex();
}

struct VerifyReport {
  std::string name;    ///< in the store; empty for an image in a layout or archive
  std::string source;  ///< where a stored image was pulled from, as its record says (unverified)
  Digest manifest;
  ImageId image;
  std::optional<sign::Verdict> signer;  ///< nothing if `basis` is not a signature
  sign::Basis basis = sign::Basis::none;
  SealKind seal = SealKind::publisher;  ///< none: `image` is what the layers make
  std::uint64_t files = 0;              ///< names in the image's tree
  std::uint64_t objects = 0;            ///< distinct file contents
  std::uint64_t layers = 0;  ///< hashed; 0 for an image in the store, which runs without them
  std::uint64_t bytes = 0;   ///< that were hashed, metadata included
  /// Each file that shows a damaged content has an entry of its own. Without a path, it is
  /// the image's metadata or, without a range as well, a blob.
  std::vector<Damage> damaged;
  std::uint64_t omitted = 0;             ///< further damaged places
  std::vector<LayerCheck> layer_checks;  ///< base first; empty for an image in the store

  bool ok() const { return damaged.empty(); }
};

/// Given the tree of an image once its metadata is known to be as signed.
using TreeSink = std::function<void(tree::Tree)>;

struct VerifyOptions {
  sign::Anchors anchors;
  std::optional<oci::Platform> platform = {};  ///< as PullOptions::platform
  UnpackLimits limits = {};                    ///< of layers; for verify_source()
  ProgressOfSteps progress = {};               ///< may be empty
  TreeSink tree = {};                          ///< may be empty
  registry::Options registry = {};             ///< for verify_source()
  /// A disk that fails may damage any number of blocks, and one content may have any number of
  /// names: the report lists no more places than this, and the first one of every file.
  std::size_t max_damaged = 100'000;
};

/// Walks the chain of a stored image from the signature to every block of every file it can show,
/// to the end, whatever is damaged on the way. `name` is as in store::resolve_image(). A chain that
/// is already broken above the image is an error (see check_chain()): nothing below it means
/// anything then.
Result<VerifyReport> verify_stored(store::Store& store, const std::string& name,
                                   const VerifyOptions& options);

/// The same for an image in a layout, an archive or a registry: signature, documents, every layer,
/// and if it is sealed that the layers make the image that was signed. VerifyOptions::tree gets
/// what they make only if it is that image.
Result<VerifyReport> verify_source(const oci::Reference& reference, const VerifyOptions& options);

/// The verification of one of all images in a store, or why there is none.
struct NamedVerification {
  std::string name;  ///< empty: a record that is damaged, so that its name is not known
  Result<VerifyReport> report;
};

/// Verifies every image in the store with `verify`, which is given names, and passes each result to
/// `done` as soon as it is there. One that fails does not keep the others from being verified;
/// names that the store has lost count as failed, those that were removed meanwhile are left out.
/// Errors: the store cannot be listed, or those of lost_names().
Result<void> verify_all(const store::Store& store,
                        const std::function<Result<VerifyReport>(const std::string&)>& verify,
                        const std::function<void(const NamedVerification&)>& done);

}  // namespace intact::image
