#include "upload.h"

#include <algorithm>

#include <intact/base/text.h>

#include "headers.h"
#include "retry.h"

namespace intact::registry {
namespace {

bool is_success(long status) {
  return status / 100 == 2;
}

/// A session of the server's for one blob.
class Upload {
 public:
  Upload(Session& session, const oci::Descriptor& blob, std::shared_ptr<const ByteSource> bytes)
      : session_(session),
        digest_(blob.digest.to_string()),
        size_(blob.size),
        bytes_(std::move(bytes)),
        retry_(session.new_retry()) {}

  Result<void> begin() {
    HttpResponse response =
        TRY(session_.call({.method = "POST", .path = "blobs/uploads/", .push = true}));
    if (!is_success(response.status)) return session_.failure(response, "upload of " + digest_);
    location_ = TRY(session_.location(response));
    chunk_ = session_.options().chunk;
    if (const auto least = whole_number(response.header("oci-chunk-min-length")))
      chunk_ = std::max(chunk_, std::min<std::uint64_t>(*least, 1ULL << 30));
    return {};
  }

  Result<void> send_whole() {
    TRY(begin());
    return finish(HttpBody{bytes_, 0, size_});
  }

  Result<void> send_chunks() {
    TRY(begin());
    std::uint64_t sent = 0, furthest = 0, offered = 0;
    while (sent < size_) {
      const std::uint64_t n = std::min(chunk_, size_ - sent);
      Call call{
          .method = "PATCH", .url = location_, .push = true, .is_transfer = true, .repeat = false};
      call.headers = {{"content-type", "application/octet-stream"},
                      {"content-range", std::to_string(sent) + "-" + std::to_string(sent + n - 1)}};
      call.body = HttpBody{bytes_, sent, n};
      offered += n;
      if (offered > 3 * size_ + 16 * chunk_)
        return Error(ErrorKind::io, session_.where() + ": upload of " + digest_ +
                                        ": the registry keeps too little of what it is sent");
      auto response = session_.call(call);
      if (response && is_success(response->status)) {
        location_ = TRY(session_.location(*response));
        sent = TRY(acknowledged(*response, sent + n, sent + n));
      } else {
        // 404 and 416: it has got less or more than we think.
        const bool may_pass = response ? is_temporary(response->status) ||
                                             response->status == 404 || response->status == 416
                                       : is_transient(response.error());
        if (!may_pass) {
          if (!response) return std::move(response).error();
          return session_.failure(*response, "upload of " + digest_);
        }
        const auto wait = response ? retry_after(*response) : std::nullopt;
        Error error = response ? session_.failure(*response, "upload of " + digest_)
                               : std::move(response).error();
        if (!retry_.again(wait)) return error;
        sent = TRY(ask_how_far(sent));
      }
      // Only what is new counts as progress, so that this ends.
      if (sent > furthest) retry_ = session_.new_retry();
      furthest = std::max(furthest, sent);
    }
    return finish({});
  }

 private:
  /// The first byte that the server lacks, as its header Range says. Without one it is `otherwise`.
  Result<std::uint64_t> acknowledged(const HttpResponse& response, std::uint64_t otherwise,
                                     std::uint64_t limit) const {
    const auto range = parse_range(response.header("range"));
    if (!range) return otherwise;
    // 0-0 is what servers say that have nothing yet, and one byte is never sent alone.
    const std::uint64_t next = range->last == 0 ? 0 : range->last + 1;
    if (range->first != 0 || next > limit)
      return Error(ErrorKind::malformed, session_.where() + ": upload of " + digest_ +
                                             ": the registry says that it has bytes that it was "
                                             "not sent");
    return next;
  }

  /// After a request of unknown fate. An error that restart() knows means: from the start again.
  Result<std::uint64_t> ask_how_far(std::uint64_t sent) {
    const Call call{.method = "GET", .url = location_, .push = true};
    HttpResponse response = TRY(session_.call(call));
    if (!is_success(response.status) || response.header("range").empty())
      return Error(ErrorKind::io, session_.where() + ": upload of " + digest_ + ": was interrupted",
                   ECONNRESET);
    if (!response.header("location").empty()) location_ = TRY(session_.location(response));
    return acknowledged(response, sent, size_);
  }

  Result<void> finish(const std::optional<HttpBody>& body) {
    Call call{
        .method = "PUT", .url = location_, .push = true, .is_transfer = true, .repeat = false};
    add_query(call.url->target, "digest", digest_);
    call.headers = {{"content-type", "application/octet-stream"}};
    call.body = body;
    HttpResponse response = TRY(session_.call(call));
    if (is_temporary(response.status)) {
      const Error error = session_.failure(response, "upload of " + digest_);
      return Error(ErrorKind::io, error.message(), ECONNRESET);
    }
    if (!is_success(response.status)) return session_.failure(response, "upload of " + digest_);
    const std::string stored = response.header("docker-content-digest");
    if (!stored.empty() && stored != digest_)
      return Error(ErrorKind::tampered, session_.where() + ": upload of " + digest_ +
                                            ": the registry has stored it as " +
                                            stored.substr(0, 100));
    return {};
  }

  Session& session_;
  std::string digest_;
  std::uint64_t size_;
  std::shared_ptr<const ByteSource> bytes_;
  Retry retry_;
  Url location_;
  std::uint64_t chunk_ = 0;
};

}  // namespace

Result<bool> has_blob(Session& session, const oci::Descriptor& blob) {
  HttpResponse response = TRY(
      session.call({.method = "HEAD", .path = "blobs/" + blob.digest.to_string(), .push = true}));
  if (response.status == 404) return false;
  if (response.status != 200) return session.failure(response, blob.digest.to_string());
  const auto length = whole_number(response.header("content-length"));
  return !length || *length == blob.size;
}

Result<bool> mount_blob(Session& session, const oci::Descriptor& blob, const std::string& from) {
  Call call{.method = "POST", .push = true, .mount_from = from};
  call.path = "blobs/uploads/";
  add_query(call.path, "mount", blob.digest.to_string());
  add_query(call.path, "from", from);
  HttpResponse response = TRY(session.call(call));
  if (response.status == 201) return true;
  // It has begun an upload instead, which is not needed.
  if (response.status == 202 && !response.header("location").empty()) {
    const auto url = session.location(response);
    if (url) {
      response.body.reset();
      (void)session.call({.method = "DELETE", .url = *url, .push = true, .repeat = false});
    }
  }
  return false;
}

Result<void> upload_blob(Session& session, const oci::Descriptor& blob,
                         const std::shared_ptr<const ByteSource>& bytes) {
  bool whole = blob.size <= session.options().chunk;
  bool switched = false;
  for (Retry retry = session.new_retry();;) {
    Upload upload(session, blob, bytes);
    auto done = whole ? upload.send_whole() : upload.send_chunks();
    if (done) return {};
    const ErrorKind kind = done.error().kind();
    const bool other_way = kind == ErrorKind::limit || kind == ErrorKind::unsupported;
    if (other_way && !switched && blob.size > 1) {
      whole = !whole;
      switched = true;
      continue;
    }
    if (!is_transient(done.error()) || !retry.again()) return done;
    // The server may have got it all the same.
    if (TRY(has_blob(session, blob))) return {};
  }
}

}  // namespace intact::registry
