#include "resolve.h"

#include <algorithm>

#include <intact/oci/media_types.h>

namespace intact::oci {
namespace {

using Kind = MediaType::Kind;

constexpr std::size_t kMaxDocuments = 1000;
constexpr std::size_t kMaxPending = 100'000;  // descriptors

/// BuildKit puts provenance into an index as manifests of no platform.
bool is_attestation(const Descriptor& descriptor) {
  const bool unknown = descriptor.platform && descriptor.platform->os == "unknown" &&
                       descriptor.platform->architecture == "unknown";
  return unknown || descriptor.annotation("vnd.docker.reference.type") == "attestation-manifest";
}

bool may_be_image(const Descriptor& descriptor) {
  const Kind kind = classify(descriptor.media_type).kind;
  // Only what refers to an image has an artifactType, such as a signature.
  return (kind == Kind::manifest || kind == Kind::index) && descriptor.artifact_type.empty() &&
         !is_signature(descriptor) && !is_attestation(descriptor);
}

std::string joined(const std::set<std::string>& words) {
  constexpr std::size_t kMax = 20;
  std::string text;
  std::size_t count = 0;
  for (const std::string& word : words) {
    if (++count > kMax) return text + ", ...";
    text += (text.empty() ? "" : ", ") + word.substr(0, 200);
  }
  return text;
}

std::string name_of(const Descriptor& descriptor) {
  std::string name = descriptor.annotation(kRefName);
  return name.empty() ? descriptor.annotation(kContainerdName) : name;
}

}  // namespace

bool is_signature(const Descriptor& descriptor) {
  if (descriptor.annotation(kCosignKind) == kCosignKindSignatures) return true;
  std::string_view name = descriptor.annotations.contains(std::string(kRefName))
                              ? descriptor.annotations.at(std::string(kRefName))
                              : std::string_view();
  if (!name.starts_with("sha256-") && !name.starts_with("sha512-")) return false;
  // Without an ending: the list of referrers of a manifest, for registries without an API for them.
  constexpr std::size_t kListSize = std::string_view("sha256-").size() + 64;
  const bool is_list = name.size() == kListSize && name.find('.') == std::string_view::npos;
  return is_list || name.ends_with(".sig") || name.ends_with(".att") || name.ends_with(".sbom");
}

Result<std::vector<Descriptor>> Resolver::candidates(const std::string& tag) const {
  std::vector<Descriptor> found;
  if (tag.empty()) {
    std::set<std::string> names;
    bool build_cache = false;
    for (const Descriptor& descriptor : index_.manifests) {
      build_cache = build_cache || descriptor.media_type == kBuildCacheConfigType;
      if (!may_be_image(descriptor)) continue;
      found.push_back(descriptor);
      names.insert(name_of(descriptor));
    }
    if (names.size() > 1) {
      names.erase("");
      const bool same = std::all_of(found.begin(), found.end(), [&](const Descriptor& d) {
        return d.digest == found.front().digest;
      });
      if (!same)
        return Error(ErrorKind::invalid_argument,
                     "contains several images; choose one of " + joined(names));
    }
    if (found.empty() && build_cache)
      return Error(ErrorKind::unsupported, "a build cache (BuildKit), not an image");
    if (found.empty() && !index_.unreadable.empty()) return index_.unreadable.front().error;
    if (found.empty()) return Error(ErrorKind::not_found, "contains no image");
    return found;
  }
  for (const std::string_view key : {kRefName, kContainerdName}) {
    for (const Descriptor& descriptor : index_.manifests) {
      if (descriptor.annotation(key) == tag) found.push_back(descriptor);
    }
    if (!found.empty()) return found;
  }
  for (const Index::Unreadable& entry : index_.unreadable) {
    if (entry.ref_name == tag) return entry.error;
  }
  std::set<std::string> names;
  for (const Descriptor& descriptor : index_.manifests) {
    if (may_be_image(descriptor)) names.insert(name_of(descriptor));
  }
  names.erase("");
  return Error(ErrorKind::not_found, "no image '" + tag + "'" +
                                         (names.empty()       ? ""
                                          : names.size() == 1 ? "; there is only " + joined(names)
                                                              : "; there are " + joined(names)));
}

/// The manifest or index with this digest, in the index itself or in those that it contains.
Result<Descriptor> Resolver::find_digest(const Digest& digest) {
  std::vector<Descriptor> pending = index_.manifests;
  for (std::size_t next = 0; next < pending.size(); ++next) {
    const Descriptor entry = pending[next];
    if (entry.digest == digest && !is_attestation(entry)) {
      seen_.clear();
      return entry;
    }
    if (classify(entry.media_type).kind != Kind::index || !seen_.insert(entry.digest).second)
      continue;
    if (seen_.size() > kMaxDocuments || pending.size() > kMaxPending) break;
    auto bytes = source_.read_document(entry);
    if (!bytes && bytes.error().kind() == ErrorKind::not_found) continue;
    const Index index = TRY(parse_index(TRY(std::move(bytes)), entry.media_type));
    pending.insert(pending.end(), index.manifests.begin(), index.manifests.end());
  }
  return Error(ErrorKind::not_found, "no image " + digest.to_string());
}

Result<Descriptor> Resolver::choose(const std::vector<Descriptor>& candidates,
                                    const std::string& tag) {
  const auto all_same = [](const std::vector<Descriptor>& list) {
    return std::all_of(list.begin(), list.end(),
                       [&](const Descriptor& d) { return d.digest == list.front().digest; });
  };
  if (all_same(candidates)) return candidates.front();
  const std::string what = tag.empty() ? "an image without a name" : "'" + tag + "'";
  std::vector<Descriptor> fitting;
  for (const Descriptor& candidate : candidates) {
    if (!candidate.platform) return Error(ErrorKind::malformed, what + " names several manifests");
    offered_.insert(to_string(*candidate.platform));
    if (matches(platform_, *candidate.platform)) fitting.push_back(candidate);
  }
  if (fitting.empty()) return no_platform();
  if (!all_same(fitting))
    return Error(ErrorKind::malformed,
                 what + " names several manifests for " + to_string(platform_));
  return fitting.front();
}

Error Resolver::no_platform() const {
  if (offered_.empty())
    return Error(ErrorKind::unsupported, "the index contains no image that can run");
  return Error(ErrorKind::unsupported, "no image for " + to_string(platform_) + "; choose one of " +
                                           joined(offered_) + " with --platform");
}

/// What a manifest without a platform in its descriptor is made for; nothing if it is not an image.
Result<std::optional<Platform>> Resolver::platform_of(const Descriptor& descriptor) {
  if (descriptor.platform) return descriptor.platform;
  auto bytes = source_.read_document(descriptor);
  if (!bytes && bytes.error().kind() == ErrorKind::not_found) return std::optional<Platform>();
  const Manifest manifest = TRY(parse_manifest(TRY(std::move(bytes)), descriptor.media_type));
  if (!check_is_image(manifest)) return std::optional<Platform>();
  const ImageConfig config = TRY(parse_config(TRY(source_.read_document(manifest.config))));
  return std::optional(config.platform);
}

/// The first image for the platform in an index and those within it, in order.
Result<std::optional<Descriptor>> Resolver::search(const Descriptor& descriptor, unsigned depth) {
  if (depth > kMaxIndexDepth)
    return Error(ErrorKind::limit,
                 "indexes nested deeper than the limit of " + std::to_string(kMaxIndexDepth));
  if (!seen_.insert(descriptor.digest).second) return std::optional<Descriptor>();
  if (seen_.size() > kMaxDocuments)
    return Error(ErrorKind::limit,
                 "more than " + std::to_string(kMaxDocuments) + " indexes within an index");
  const Index index =
      TRY(parse_index(TRY(source_.read_document(descriptor)), descriptor.media_type));
  bool build_cache = false;
  for (const Descriptor& entry : index.manifests) {
    build_cache = build_cache || entry.media_type == kBuildCacheConfigType;
    if (!may_be_image(entry)) continue;
    if (classify(entry.media_type).kind == Kind::index) {
      auto found = TRY(search(entry, depth + 1));
      if (found) through_.push_back(descriptor.digest);
      if (found) return found;
      continue;
    }
    if (!entry.platform && !seen_.insert(entry.digest).second) continue;
    const auto platform = TRY(platform_of(entry));
    if (!platform) continue;
    if (matches(platform_, *platform)) {
      through_.push_back(descriptor.digest);
      return std::optional(entry);
    }
    offered_.insert(to_string(*platform));
  }
  if (build_cache) return Error(ErrorKind::unsupported, "a build cache (BuildKit), not an image");
  return std::optional<Descriptor>();
}

Result<Descriptor> Resolver::find(const std::string& tag) {
  if (tag.starts_with('@')) return find_digest(TRY(Digest::parse(tag.substr(1))));
  const std::vector<Descriptor> found = TRY(candidates(tag));
  for (const Descriptor& other : found)
    if (other.digest != found.front().digest)
      return Error(ErrorKind::malformed, "'" + tag + "' names several manifests");
  return found.front();
}

Result<Located> Resolver::locate(const std::string& tag) {
  const auto digest = tag.starts_with('@') ? Digest::parse(tag.substr(1))
                                           : Result<Digest>(Error(ErrorKind::not_found, ""));
  Descriptor chosen = digest ? TRY(find_digest(*digest)) : TRY(choose(TRY(candidates(tag)), tag));
  switch (classify(chosen.media_type).kind) {
    case Kind::manifest:
      return Located{.manifest = std::move(chosen)};
    case Kind::index:
      break;
    default:
      return Error(ErrorKind::unsupported, "not an image: it has the media type '" +
                                               chosen.media_type.substr(0, 100) + "'");
  }
  auto found = TRY(search(chosen, 1));
  if (!found) return no_platform();
  return Located{std::move(*found), std::move(through_)};
}

}  // namespace intact::oci
