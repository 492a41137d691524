#include <algorithm>
#include <unordered_map>

#include <intact/base/file.h>
#include <intact/image/stored_images.h>
#include <intact/sign/trust.h>
#include <intact/store/resolve.h>

#include "local_seals.h"
#include "profile.h"
#include "stored_evidence.h"

namespace intact::image {
namespace {

/// What the signatures and attestations of an image say.
Result<void> add_claims(const store::Store& store, ImageSummary& summary) {
  const store::NamedImage& record = summary.record;
  for (const sign::Evidence& piece : TRY(read_stored_evidence(store, record)).pieces) {
    auto claim = sign::read_unverified(piece, record.manifest);
    if (!claim) continue;
    if (claim->attestation.empty()) {
      summary.identities.push_back(std::move(claim->identity));
    } else {
      summary.attestations.push_back(std::move(claim->attestation));
    }
  }
  return {};
}

}  // namespace

Result<std::vector<store::ImageObject>> stored_objects(const store::Store& store,
                                                       const ImageId& image) {
  return TRY(find_profile(image.format))->references(store, image.digest);
}

store::ListObjects object_lister(const store::Store& store) {
  return [&store](const ImageId& image) { return stored_objects(store, image); };
}

Result<std::map<ImageId, ImageSize>> image_sizes(const store::Store& store,
                                                 const std::vector<store::NamedImage>& images) {
  struct Object {
    std::uint64_t size;
    std::vector<ImageId> images;
  };
  std::unordered_map<std::string, Object> objects;
  std::map<ImageId, ImageSize> sizes;
  for (const store::NamedImage& image : images) {
    if (sizes.contains(image.image)) continue;
    const auto file = store.open_image(image.image.digest);
    auto listed = stored_objects(store, image.image);
    if (!file || !listed) {
      const Error& error = file ? listed.error() : file.error();
      if (error.concerns_caller()) return Error(error.kind(), error.message(), error.sys_errno());
      continue;
    }
    sizes[image.image].own = TRY(file_size(file->get()));
    for (store::ImageObject& object : *listed) {
      Object& known = objects[std::move(object.payload)];
      known.size = object.size;
      known.images.push_back(image.image);
    }
  }
  for (const auto& [payload, object] : objects)
    for (const ImageId& image : object.images)
      (object.images.size() == 1 ? sizes[image].own : sizes[image].shared) += object.size;
  return sizes;
}

Result<std::map<std::string, std::vector<std::string>>> other_users_of(
    const store::Store& store, const std::set<std::string>& objects, const ImageId& except) {
  std::map<std::string, std::vector<std::string>> users;
  if (objects.empty()) return users;
  std::map<ImageId, std::vector<std::string>> images;
  std::vector<Error> damaged;  // records, which fsck reports
  for (const store::NamedImage& image : TRY(store.list(&damaged)))
    if (image.image != except) images[image.image].push_back(image.name);
  for (const auto& [image, names] : images) {
    const auto listed = stored_objects(store, image);
    if (!listed) continue;
    for (const store::ImageObject& object : *listed) {
      const std::string path = "objects/" + object.payload;
      if (!objects.contains(path)) continue;
      std::vector<std::string>& found = users[path];
      found.insert(found.end(), names.begin(), names.end());
    }
  }
  for (auto& [path, names] : users) std::ranges::sort(names);
  return users;
}

std::optional<ImageSize> StoredImages::size_of(const store::NamedImage& image) const {
  if (!sizes) return std::nullopt;
  const auto found = sizes->find(image.image);
  if (found == sizes->end()) return std::nullopt;
  return found->second;
}

void StoredImages::keep(const std::vector<std::string>& texts) {
  std::erase_if(images, [&](const store::NamedImage& image) {
    return std::ranges::none_of(texts, [&](const std::string& text) {
      return text == image.name || store::has_digest_of(text, image.manifest);
    });
  });
}

Result<StoredImages> list_images(const store::Store& store, bool with_sizes) {
  StoredImages listed;
  listed.images = TRY(store.list(&listed.damaged));
  std::ranges::sort(listed.images, {}, &store::NamedImage::name);
  if (with_sizes) listed.sizes = TRY(image_sizes(store, listed.images));
  return listed;
}

SealKind seal_kind_of(const store::NamedImage& image) {
  return local_seal_of(image) ? SealKind::local : SealKind::publisher;
}

std::vector<store::EvidenceRef> publishers_evidence(const store::NamedImage& image) {
  std::vector<store::EvidenceRef> evidence = image.evidence;
  std::erase_if(evidence,
                [](const store::EvidenceRef& piece) { return piece.kind == sign::kLocalSeal; });
  return evidence;
}

Result<ImageSummary> summarize(const store::Store& store, const std::string& name) {
  store::NamedImage record = TRY(store::resolve_image(store, name));
  const Bytes manifest_bytes = TRY(store.read_blob(record.manifest, oci::kMaxDocument));
  oci::Manifest manifest =
      TRY(oci::parse_manifest(manifest_bytes, "").context("manifest of '" + name + "'"));
  const Bytes config_bytes = TRY(store.read_blob(manifest.config.digest, oci::kMaxDocument));
  oci::ImageConfig config =
      TRY(oci::parse_config(config_bytes).context("config of '" + name + "'"));
  ImageSummary summary{.record = std::move(record),
                       .manifest = std::move(manifest),
                       .config = std::move(config),
                       .layer_present = {},
                       .identities = {},
                       .attestations = {},
                       .local_seal = {}};
  for (const oci::Descriptor& layer : summary.manifest.layers)
    summary.layer_present.push_back(TRY(store.has_blob(layer.digest)));
  TRY(add_claims(store, summary).context("signature of '" + name + "'"));
  if (const auto document = local_seal_of(summary.record))
    summary.local_seal = TRY(sign::read_local_seal_unverified(
                                 TRY(read_needed(store, *document, sign::kMaxLocalSealSize)))
                                 .context("'" + name + "'"));
  return summary;
}

}  // namespace intact::image
