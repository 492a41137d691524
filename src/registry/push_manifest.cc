#include "push_manifest.h"

#include <algorithm>

#include <intact/json/json.h>
#include <intact/oci/manifest.h>
#include <intact/oci/media_types.h>
#include <intact/oci/referrers.h>

#include "retry.h"
#include "source.h"

namespace intact::registry {
namespace {

constexpr unsigned kMaxListTries = 5;

/// The answer to PUT. A registry whose parts know of each other only after a while does not find
/// blobs that were just sent.
Result<HttpResponse> put(Session& session, const std::string& reference,
                         std::string_view media_type, ByteSpan bytes) {
  Call call{.method = "PUT", .path = "manifests/" + reference};
  call.headers = {{"content-type", std::string(media_type)}};
  call.body =
      HttpBody{std::make_shared<MemorySource>(Bytes(bytes.begin(), bytes.end())), 0, bytes.size()};
  call.push = true;
  for (Retry retry = session.new_retry();;) {
    HttpResponse response = TRY(session.call(call));
    if (response.status / 100 == 2) return response;
    Error error = session.failure(response, "manifest " + reference);
    const bool lacks_blob = (response.status == 404 || response.status == 400) &&
                            error.message().find("BLOB_UNKNOWN") != std::string::npos;
    if (!lacks_blob || !retry.again()) return error;
  }
}

/// The digest of the manifest that a document refers to.
std::optional<Digest> subject_of(ByteSpan bytes) {
  const auto json = parse_json(bytes, {.bytes = oci::kMaxDocument});
  if (!json || !json->is_object()) return std::nullopt;
  const auto subject = optional_object(*json, "subject");
  if (!subject || !*subject) return std::nullopt;
  const auto text = require_string(**subject, "digest");
  const auto digest = text ? Digest::parse(*text) : Result<Digest>(Error(text.error()));
  return digest ? std::optional(*digest) : std::nullopt;
}

/// Adds an entry to the list. Others may write it at the same time, and servers ignore conditions:
/// it is read again, and written again if our entry is gone.
Result<void> enter(Session& session, const Digest& subject, const oci::Descriptor& entry) {
  const std::string tag = oci::referrers_tag(subject);
  for (unsigned tries = 0; tries < kMaxListTries; ++tries) {
    Json list{{"schemaVersion", 2}, {"mediaType", oci::kIndexType}, {"manifests", Json::array()}};
    auto present = get_manifest(session, tag, true);
    if (present) {
      const oci::Index index = TRY(oci::parse_index(present->bytes, present->descriptor.media_type)
                                       .context(session.where() + ":" + tag));
      const bool is_entered =
          std::any_of(index.manifests.begin(), index.manifests.end(),
                      [&](const oci::Descriptor& one) { return one.digest == entry.digest; });
      if (is_entered) return {};
      list = TRY(parse_json(present->bytes, {.bytes = oci::kMaxDocument}));
    } else if (present.error().kind() != ErrorKind::not_found) {
      return std::move(present).error();
    }
    list["manifests"].push_back(to_json(entry));
    const std::string text = to_text(list);
    if (text.size() > oci::kMaxDocument)
      return Error(ErrorKind::limit, session.where() + ":" + tag + ": the list is full");
    TRY(put(session, tag, oci::kIndexType, as_bytes(text)));
  }
  return Error(ErrorKind::busy, session.where() + ":" + tag +
                                    ": others keep changing the list of referrers; try again");
}

}  // namespace

Result<void> push_manifest(Session& session, const std::string& reference,
                           const oci::Descriptor& descriptor, ByteSpan bytes) {
  HttpResponse response = TRY(put(session, reference, descriptor.media_type, bytes));
  const std::string stored = response.header("docker-content-digest");
  if (!stored.empty() && stored != descriptor.digest.to_string())
    return Error(ErrorKind::tampered, session.where() + ": manifest " + reference +
                                          ": the registry has stored it as " +
                                          stored.substr(0, 100));
  const auto subject = subject_of(bytes);
  if (!subject || !response.header("oci-subject").empty()) return {};
  const auto entry = oci::referrer_from(descriptor, bytes, *subject);
  return entry ? enter(session, *subject, *entry) : Result<void>();
}

}  // namespace intact::registry
