// Lists of a registry: tags and referrers, page by page.
#include <chrono>
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
constexpr std::size_t kMaxList = 32 * 1024 * 1024;  // bytes of all its pages
constexpr std::size_t kMaxTag = 1024;               // characters

/// A list on its way, page by page. The pages are few enough, all of them together small enough,
/// and the last has to come in time, whatever the server says.
class Pages {
 public:
  Pages(Session& session, Call first, std::string what)
      : session_(session),
        call_(std::move(first)),
        what_(std::move(what)),
        deadline_(std::chrono::steady_clock::now() + session.options().document_timeout) {}

  /// The answer with the next page: the first, or that which the last one named.
  Result<HttpResponse> ask() const {
    if (std::chrono::steady_clock::now() >= deadline_)
      return Error(ErrorKind::io, what_ + ": not complete within " +
                                      std::to_string(session_.options().document_timeout.count()) +
                                      " seconds");
    return session_.call(call_);
  }
  bool is_first() const { return !call_.url; }

  /// The page of an answer. next() says whether another one follows.
  Result<Bytes> read(HttpResponse& response) {
    Bytes bytes = TRY(read_body(response, oci::kMaxDocument).context(what_));
    if (bytes.size() > kMaxList - bytes_)
      return Error(ErrorKind::limit,
                   what_ + ": more than " + std::to_string(kMaxList) + " bytes in all");
    bytes_ += bytes.size();
    return bytes;
  }

  Result<bool> next(const HttpResponse& response) {
    const auto link = next_link(response.all("link"));
    if (!link) return false;
    const Url url = TRY(resolve_url(session_.base(), *link).context(session_.where() + ": Link"));
    if (url.host != session_.base().host)
      return Error(ErrorKind::untrusted, session_.where() + ": the next page of the list is on " +
                                             visible(url.host) + "; that is not followed");
    Url same = session_.base();
    same.target = url.target;
    if (!seen_.insert(same.target).second)
      return Error(ErrorKind::malformed,
                   session_.where() + ": the pages of the list go in a circle");
    const std::size_t pages = session_.options().pages;
    if (seen_.size() >= pages)
      return Error(ErrorKind::limit, what_ + ": more than " + std::to_string(pages) + " pages");
    call_.url = same;
    return true;
  }

 private:
  Session& session_;
  Call call_;
  std::string what_;
  std::chrono::steady_clock::time_point deadline_;
  std::size_t bytes_ = 0;
  std::set<std::string> seen_;
};

}  // namespace

Result<std::vector<std::string>> get_tags(Session& session) {
  const std::string what = session.where() + ": list of tags";
  std::vector<std::string> tags;
  Pages pages(session, {.method = "GET", .path = "tags/list?n=1000"}, what);
  for (;;) {
    HttpResponse response = TRY(pages.ask());
    if (response.status != 200) return session.failure(response, "list of tags");
    const Bytes bytes = TRY(pages.read(response));
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
    if (!TRY(pages.next(response))) return tags;
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
  Pages pages(session,
              {.method = "GET",
               .path = "referrers/" + manifest.to_string(),
               .headers = {{"accept", std::string(oci::kIndexType)}}},
              what);
  for (;;) {
    HttpResponse response = TRY(pages.ask());
    if (response.status == 404 && pages.is_first()) break;  // the registry has no such API
    if (response.status != 200) return session.failure(response, "list of referrers");
    TRY(add(TRY(pages.read(response))));
    if (!TRY(pages.next(response))) break;
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
