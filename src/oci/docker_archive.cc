#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include <intact/crypto/hash.h>
#include <intact/oci/hashing_stream.h>
#include <intact/oci/media_types.h>
#include <intact/oci/spool.h>

#include "archive_files.h"
#include "document.h"
#include "source_kinds.h"

namespace intact::oci {
namespace {

struct SavedImage {
  std::string config;
  std::vector<std::string> tags;
  std::vector<std::string> layers;
};

Result<std::vector<SavedImage>> parse_saved_images(ByteSpan bytes) {
  const Json json = TRY(parse_json(bytes));
  if (!json.is_array()) return Error(ErrorKind::malformed, "JSON: not an array");
  std::vector<SavedImage> images;
  for (const Json& object : json) {
    SavedImage image;
    image.config = TRY(require_string(object, "Config"));
    image.tags = TRY(strings_of(object, "RepoTags"));
    image.layers = TRY(strings_of(object, "Layers"));
    if (image.layers.size() > kMaxLayers)
      return Error(ErrorKind::limit, std::to_string(image.layers.size()) +
                                         " layers, over the limit of " +
                                         std::to_string(kMaxLayers));
    images.push_back(std::move(image));
  }
  return images;
}

/// Docker leaves out what it takes for granted: "alpine" is docker.io/library/alpine:latest.
std::string full_name(const std::string& name) {
  std::string full = name;
  const std::size_t slash = full.find('/');
  const std::string host = full.substr(0, std::min(slash, full.size()));
  const bool has_host = slash != std::string::npos &&
                        (host.find_first_of(".:") != std::string::npos || host == "localhost");
  if (!has_host)
    full = std::string("docker.io/") + (slash == std::string::npos ? "library/" : "") + full;
  if (full.find(':', full.rfind('/')) == std::string::npos) full += ":latest";
  return full;
}

/// What `docker save` writes. It has no manifests, and nothing in the names of its layers can be
/// checked, so both get their digests here; the config's diff_ids show whether the layers are the
/// right ones. Callers hash a layer again when they read it.
class DockerArchive final : public ImageSource {
 public:
  DockerArchive(std::string where, ArchiveFiles files, std::vector<SavedImage> images)
      : where_(std::move(where)), files_(std::move(files)), images_(std::move(images)) {}

  Result<Descriptor> find(const std::string& tag) const override {
    const SavedImage* image = TRY(find_saved(tag).context(where_));
    return describe_image(*image).context(where_);
  }
  Result<Located> locate(const std::string& tag, const Platform&) const override {
    return Located{.manifest = TRY(find(tag))};
  }

  Result<std::unique_ptr<ByteStream>> open_blob(const Descriptor& descriptor) const override {
    const std::lock_guard lock(mutex_);
    if (const auto document = documents_.find(descriptor.digest); document != documents_.end())
      return std::unique_ptr<ByteStream>(std::make_unique<MemoryStream>(document->second));
    const auto range = blobs_.find(descriptor.digest);
    if (range == blobs_.end())
      return Error(ErrorKind::not_found,
                   where_ + ": blob " + descriptor.digest.to_string() + " is not there");
    return files_.open(range->second);
  }

  Result<std::optional<Descriptor>> find_signatures(const Digest&) const override {
    return std::optional<Descriptor>();
  }

  std::vector<std::string> names() const override {
    std::set<std::string> names;
    for (const SavedImage& image : images_) names.insert(image.tags.begin(), image.tags.end());
    return {names.begin(), names.end()};
  }

 private:
  Result<const SavedImage*> find_saved(const std::string& tag) const {
    std::string all;
    for (const std::string& name : names()) all += (all.empty() ? "" : ", ") + name.substr(0, 200);
    if (tag.empty()) {
      if (images_.empty()) return Error(ErrorKind::not_found, "contains no image");
      if (images_.size() > 1)
        return Error(ErrorKind::invalid_argument, "contains several images; choose one of " + all);
      return &images_.front();
    }
    const SavedImage* found = nullptr;
    for (const SavedImage& image : images_) {
      const bool fits =
          std::any_of(image.tags.begin(), image.tags.end(),
                      [&](const std::string& name) { return full_name(name) == full_name(tag); });
      if (!fits) continue;
      if (found) return Error(ErrorKind::malformed, "'" + tag + "' names several images");
      found = &image;
    }
    if (!found)
      return Error(ErrorKind::not_found,
                   "no image '" + tag + "'" + (all.empty() ? "" : "; there are: " + all));
    return found;
  }

  Result<ArchiveFiles::Range> file(const std::string& path) const {
    const auto range = files_.find(path);
    if (!range)
      return Error(ErrorKind::malformed, "manifest.json names '" + path.substr(0, 200) +
                                             "', which is not in the archive");
    return *range;
  }

  Result<Descriptor> describe_image(const SavedImage& image) const {
    Bytes config = TRY(files_.read(TRY(file(image.config)), kMaxDocument).context("image config"));
    Manifest manifest{
        std::string(kManifestType), describe(kConfigType, config), {}, {}, {}, {}, {}};
    std::map<Digest, ArchiveFiles::Range> blobs;
    for (const std::string& path : image.layers) {
      const ArchiveFiles::Range range = TRY(file(path));
      Descriptor layer = TRY(describe_layer(range).context(path.substr(0, 200)));
      blobs.emplace(layer.digest, range);
      manifest.layers.push_back(std::move(layer));
    }
    Bytes bytes = encode_manifest(manifest);
    Descriptor descriptor = describe(kManifestType, bytes);
    const std::lock_guard lock(mutex_);
    blobs_.merge(blobs);
    documents_.insert_or_assign(descriptor.digest, std::move(bytes));
    documents_.insert_or_assign(manifest.config.digest, std::move(config));
    return descriptor;
  }

  Result<Descriptor> describe_layer(const ArchiveFiles::Range& range) const {
    Bytes first(8);
    first.resize(TRY(read_fully(*TRY(files_.open(range)), first)));
    std::string_view type = kLayerType;
    switch (detect_compression(first)) {
      case Compression::none:
        break;
      case Compression::gzip:
        type = kLayerGzipType;
        break;
      case Compression::zstd:
        type = kLayerZstdType;
        break;
      default:
        return Error(ErrorKind::unsupported, "a layer in a compression that manifests cannot name");
    }
    const auto stream = TRY(files_.open(range));
    HashingStream hashing(*stream);
    const Digest digest = TRY(hashing.finish());
    return Descriptor{std::string(type), digest, hashing.size(), {}, {}, {}, {}};
  }

  std::string where_;
  ArchiveFiles files_;
  std::vector<SavedImage> images_;
  mutable std::mutex mutex_;  // over the two below
  mutable std::map<Digest, ArchiveFiles::Range> blobs_;
  mutable std::map<Digest, Bytes> documents_;
};

}  // namespace

Result<std::unique_ptr<ImageSource>> open_docker_archive(const std::string& file,
                                                         const DecompressLimits& limits) {
  const std::string where = source_name(file);
  ArchiveFiles files = TRY(ArchiveFiles::open(file, limits));
  const auto manifest = files.find("manifest.json");
  if (!manifest)
    return Error(ErrorKind::not_found,
                 where + ": not an archive of `docker save` (it has no manifest.json)");
  const Bytes bytes = TRY(files.read(*manifest, kMaxDocument).context(where + ": manifest.json"));
  auto images = TRY(parse_saved_images(bytes).context(where + ": manifest.json"));
  return std::unique_ptr<ImageSource>(
      std::make_unique<DockerArchive>(where, std::move(files), std::move(images)));
}

}  // namespace intact::oci
