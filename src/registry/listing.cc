// Lists of a registry: tags and referrers, page by page.
#include <set>

#include <intact/base/visible.h>
#include <intact/json/json.h>
#include <intact/oci/manifest.h>
#include <intact/oci/media_types.h>
#include <intact/oci/referrers.h>

#include "headers.h"
#include "source.h"

namespace intact::registry {
namespace {

constexpr std::size_t kMaxTags = 100'000;
constexpr std::size_t kMaxPages = 1000;
constexpr std::size_t kMaxTag = 1024;  // characters

/// The next page of a list, which is on the same server; nothing after the last.
Result<std::optional<Url>> next_page(const Session& session, const HttpResponse& response,
                                     std::set<std::string>& seen) {
  const auto link = next_link(response.all("link"));
  if (!link) return std::optional<Url>();
  const Url url = TRY(resolve_url(session.base(), *link).context(session.where() + ": Link"));
  if (url.host != session.base().host)
    return Error(ErrorKind::untrusted, session.where() + ": the next page of the list is on " +
                                           visible(url.host) + "; that is not followed");
  Url same = session.base();
  same.target = url.target;
  if (!seen.insert(same.target).second)
    return Error(ErrorKind::malformed, session.where() + ": the pages of the list go in a circle");
  if (seen.size() > kMaxPages)
    return Error(ErrorKind::limit,
                 session.where() + ": a list of more than " + std::to_string(kMaxPages) + " pages");
  return std::optional(same);
}

}  // namespace

Result<std::vector<std::string>> get_tags(Session& session) {
  std::vector<std::string> tags;
  std::set<std::string> seen;
  Call call{.method = "GET", .path = "tags/list?n=1000"};
  for (;;) {
    HttpResponse response = TRY(session.call(call));
    if (response.status != 200) return session.failure(response, "list of tags");
    const std::string what = session.where() + ": list of tags";
    const Bytes bytes = TRY(read_body(response, oci::kMaxDocument).context(what));
    const Json json = TRY(parse_json(bytes, {.bytes = oci::kMaxDocument}).context(what));
    // A repository without tags has null.
    if (const Json* list = TRY(optional_array(json, "tags").context(what))) {
      for (const Json& tag : *list) {
        if (!tag.is_string() || tag.get_ref<const std::string&>().size() > kMaxTag)
          return Error(ErrorKind::malformed, what + ": contains something that is not a tag");
        tags.push_back(tag.get<std::string>());
        if (tags.size() > kMaxTags)
          return Error(ErrorKind::limit, what + ": more than " + std::to_string(kMaxTags));
      }
    }
    call.url = TRY(next_page(session, response, seen));
    if (!call.url) return tags;
  }
}

Result<std::vector<oci::Descriptor>> list_referrers(Session& session, const Digest& manifest) {
  const std::string what = session.where() + ": list of referrers";
  std::vector<oci::Descriptor> all;
  const auto add = [&](ByteSpan bytes) -> Result<void> {
    oci::Index index = TRY(oci::parse_index(bytes, "").context(what));
    for (oci::Descriptor& entry : index.manifests) all.push_back(std::move(entry));
    if (all.size() > 2 * oci::kMaxReferrers)
      return Error(ErrorKind::limit,
                   what + ": more than " + std::to_string(2 * oci::kMaxReferrers) + " entries");
    return {};
  };
  std::set<std::string> seen;
  Call call{.method = "GET",
            .path = "referrers/" + manifest.to_string(),
            .headers = {{"accept", std::string(oci::kIndexType)}}};
  for (;;) {
    HttpResponse response = TRY(session.call(call));
    if (response.status == 404 && !call.url) break;  // the registry has no such API
    if (response.status != 200) return session.failure(response, "list of referrers");
    TRY(add(TRY(read_body(response, oci::kMaxDocument).context(what))));
    call.url = TRY(next_page(session, response, seen));
    if (!call.url) break;
  }
  // Also where there is an API: it may not know what was pushed before it was there.
  auto tagged = get_manifest(session, oci::referrers_tag(manifest));
  if (!tagged) {
    if (tagged.error().kind() == ErrorKind::not_found) return all;
    return std::move(tagged).error();
  }
  TRY(add(tagged->bytes));
  return all;
}

}  // namespace intact::registry
