#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/image/chain.h>
#include <intact/oci/config.h>
#include <intact/oci/manifest.h>
#include <intact/store/store.h>

namespace intact::image {

// What can be told of the images in a store. No signature is checked here.

/// The objects that an image in the store refers to. Every byte of the image is verified before it
/// is believed: tampered if it is not what its digest says; unsupported for an unknown format.
Result<std::vector<store::ImageObject>> stored_objects(const store::Store& store,
                                                       const store::ImageId& image);

/// The same as store::collect_garbage() and store::check() want it. `store` must outlive it.
store::ListObjects object_lister(const store::Store& store);

/// What an image takes in the store, in bytes of its own file and its objects.
struct ImageSize {
  std::uint64_t own = 0;     ///< what would go with it
  std::uint64_t shared = 0;  ///< what other images need as well
};

/// Reads every image in `images`, each once however many names it has. An image that is damaged is
/// left out: what it shares is not known.
Result<std::map<store::ImageId, ImageSize>> image_sizes(
    const store::Store& store, const std::vector<store::NamedImage>& images);

/// For each of these objects ("objects/ab/cdef...") the names of the images that need it, sorted,
/// but for those of `except`. An image that is damaged itself is passed over.
Result<std::map<std::string, std::vector<std::string>>> other_users_of(
    const store::Store& store, const std::set<std::string>& objects, const store::ImageId& except);

/// All images of a store.
struct StoredImages {
  std::vector<store::NamedImage> images;  ///< by name
  std::vector<Error> damaged;             ///< records
  std::optional<std::map<store::ImageId, ImageSize>> sizes;

  /// Nothing if sizes were not asked for, or for a damaged image.
  std::optional<ImageSize> size_of(const store::NamedImage& image) const;
  /// Leaves only the images that one of `texts` stands for, a name or a digest. As for podman, a
  /// text that stands for nothing is not an error.
  void keep(const std::vector<std::string>& texts);
};
Result<StoredImages> list_images(const store::Store& store, bool with_sizes);

/// Which seal an image has, as its record says.
SealKind seal_kind_of(const store::NamedImage& image);
/// Its evidence without the local seal: signatures and the like, of others.
std::vector<store::EvidenceRef> publishers_evidence(const store::NamedImage& image);

/// What the documents of an image in the store say about it. They are compared with their digests.
struct ImageSummary {
  store::NamedImage record;
  oci::Manifest manifest;
  oci::ImageConfig config;
  std::vector<bool> layer_present;        ///< one for each layer of the manifest
  std::vector<std::string> identities;    ///< names that the signatures were made for
  std::vector<std::string> attestations;  ///< their types
  std::optional<sign::LocalSeal> local_seal = {};
};

/// `name` is as in store::resolve_image().
Result<ImageSummary> summarize(const store::Store& store, const std::string& name);

}  // namespace intact::image
