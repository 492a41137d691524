#include "source.h"

#include <algorithm>

#include <intact/base/visible.h>
#include <intact/crypto/hash.h>
#include <intact/json/json.h>
#include <intact/oci/manifest.h>
#include <intact/oci/media_types.h>
#include <intact/oci/referrers.h>

#include "blob_stream.h"

namespace intact::registry {
namespace {

using Kind = oci::MediaType::Kind;

bool is_document(std::string_view type) {
  const Kind kind = oci::classify(type).kind;
  return kind == Kind::manifest || kind == Kind::index;
}

/// Without parameters such as "; charset=utf-8".
std::string content_type(const HttpResponse& response) {
  std::string type = response.header("content-type");
  type.resize(std::min(type.find(';'), type.size()));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  return type;
}

/// What a document says it is itself, where the registry says nothing useful.
std::string own_type(ByteSpan bytes) {
  const auto json = parse_json(bytes, {.bytes = oci::kMaxDocument});
  if (!json || !json->is_object()) return {};
  if (const auto type = optional_string(*json, "mediaType"); type && *type) return **type;
  if (json->contains("manifests")) return std::string(oci::kIndexType);
  if (json->contains("layers") || json->contains("fsLayers"))
    return std::string(oci::kManifestType);
  return {};
}

}  // namespace

Result<std::shared_ptr<Places>> Places::open(const std::string& repository,
                                             const Options& options) {
  const RegistriesConf conf = TRY(RegistriesConf::read(options.registries_conf));
  std::shared_ptr<Places> made(new Places(options));
  for (Endpoint& endpoint : TRY(conf.endpoints(repository)))
    made->places_.push_back({std::move(endpoint), {}});
  return made;
}

Result<std::shared_ptr<Session>> Places::session_of(Place& place) {
  const std::lock_guard lock(mutex_);
  if (!place.session) {
    // The credentials of a repository are for the host that it names, not for one that
    // registries.conf puts in its place.
    place.session = TRY(Session::open(place.endpoint, place.endpoint.repository, options_));
  }
  return place.session;
}

Result<FoundDocument> get_manifest(Session& session, const std::string& reference,
                                   bool for_writing) {
  HttpResponse response = TRY(session.call({.method = "GET",
                                            .path = "manifests/" + reference,
                                            .headers = {{"accept", accepted_types()}},
                                            .push = for_writing}));
  if (response.status == 404) {
    Error error = session.failure(response, reference);
    return Error(ErrorKind::not_found, error.message());
  }
  if (response.status != 200) return session.failure(response, reference);
  const std::string what = session.where() + ": " + reference;
  FoundDocument found{.descriptor = {},
                      .bytes = TRY(read_body(response, oci::kMaxDocument).context(what))};
  const bool by_digest = reference.find(':') != std::string::npos;
  const Digest wanted = by_digest ? TRY(Digest::parse(reference)) : Digest();
  const auto algorithm = by_digest ? wanted.algorithm() : HashAlgorithm::sha256;
  oci::Descriptor& descriptor = found.descriptor;
  descriptor.digest = crypto::hash(algorithm, found.bytes);
  descriptor.size = found.bytes.size();
  if (by_digest && descriptor.digest != wanted)
    return Error(ErrorKind::tampered, what + ": the registry answers with another document, " +
                                          descriptor.digest.to_string());
  descriptor.media_type = content_type(response);
  if (!is_document(descriptor.media_type)) descriptor.media_type = own_type(found.bytes);
  if (!is_document(descriptor.media_type))
    return Error(ErrorKind::unsupported, what + ": not a manifest or an index, but of the type '" +
                                             visible(content_type(response).substr(0, 100)) + "'");
  return found;
}

Result<oci::Descriptor> RegistrySource::find(const std::string& tag) const {
  const std::string reference = digest_                ? digest_->to_string()
                                : tag.starts_with('@') ? tag.substr(1)
                                : tag.empty()          ? "latest"
                                                       : tag;
  const bool by_digest = digest_ || tag.starts_with('@');
  FoundDocument found =
      TRY(places_->first_of(by_digest, [&](const std::shared_ptr<Session>& session) {
        return get_manifest(*session, reference);
      }));
  keep(found.descriptor, found.bytes);
  return found.descriptor;
}

Result<oci::Located> RegistrySource::locate(const std::string& tag,
                                            const oci::Platform& platform) const {
  return oci::choose_image(*this, TRY(find(tag)), platform).context(where_);
}

Result<std::unique_ptr<ByteStream>> RegistrySource::open_blob(const oci::Descriptor& blob) const {
  return continue_blob(blob, 0);
}

Result<std::unique_ptr<ByteStream>> RegistrySource::continue_blob(const oci::Descriptor& blob,
                                                                  std::uint64_t offset) const {
  std::set<std::string> bad;
  {
    const std::lock_guard lock(mutex_);
    const auto found = served_.find(blob.digest);
    if (found != served_.end()) bad = found->second.bad;
  }
  std::string by;
  auto opened = places_->first_of(
      true,
      [&](const std::shared_ptr<Session>& session) {
        by = session->where();
        return BlobStream::open(session, blob, is_document(blob.media_type), offset);
      },
      bad);
  if (opened) {
    const std::lock_guard lock(mutex_);
    served_[blob.digest].by = by;
  } else if (!bad.empty()) {
    // The last one may only lack what another one has damaged.
    return Error(ErrorKind::tampered, *bad.begin() + ": has other bytes as " +
                                          blob.digest.to_string() + "; " +
                                          opened.error().message());
  }
  return opened;
}

RegistrySource::Blame RegistrySource::blame(const oci::Descriptor& blob) const {
  const std::lock_guard lock(mutex_);
  Served& served = served_[blob.digest];
  if (served.by.empty()) return {};  // it was never asked
  served.bad.insert(served.by);
  return {served.by, places_->has_others(served.bad)};
}

Result<std::optional<oci::Descriptor>> RegistrySource::find_signatures(
    const Digest& manifest) const {
  return find_tagged(oci::signature_tag(manifest));
}

Result<std::optional<oci::Descriptor>> RegistrySource::find_attestations(
    const Digest& manifest) const {
  return find_tagged(oci::attestation_tag(manifest));
}

Result<std::optional<oci::Descriptor>> RegistrySource::find_tagged(const std::string& tag) const {
  auto found = places_->first_of(
      false, [&](const std::shared_ptr<Session>& session) { return get_manifest(*session, tag); });
  if (!found && found.error().kind() == ErrorKind::not_found)
    return std::optional<oci::Descriptor>();
  if (!found) return std::move(found).error();
  keep(found->descriptor, found->bytes);
  return std::optional(found->descriptor);
}

Result<std::vector<oci::Descriptor>> RegistrySource::referrers(const Digest& manifest) const {
  const auto session = TRY(places_->registry());
  return oci::confirm_referrers(*this, TRY(list_referrers(*session, manifest)), manifest)
      .context(where_);
}

std::vector<std::string> RegistrySource::names() const {
  const auto session = places_->registry();
  if (!session) return {};
  return get_tags(**session).value_or(std::vector<std::string>());
}

}  // namespace intact::registry
