#include "session.h"

#include <algorithm>

#include <intact/base/visible.h>
#include <intact/json/json.h>

#include "certificates.h"

namespace intact::registry {
namespace {

constexpr unsigned kMaxRedirects = 10;
constexpr std::size_t kMaxError = 64 * 1024;  // bytes of what a server says about an error

bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// Whether a server speaks TLS, which its user allowed it not to.
Result<Url> choose_scheme(HttpClient& client, Url base, const TlsFiles& tls) {
  HttpRequest request{.method = "GET", .url = base, .tls = tls};
  request.url.target = "/v2/";
  const auto response = client.send(request);
  if (response) return base;
  if (response.error().kind() != ErrorKind::io) return Error(response.error());
  base.scheme = "http";
  request.url.scheme = "http";
  if (auto plain = client.send(std::move(request)); !plain) return std::move(plain).error();
  return base;
}

/// What {"errors":[{"code":...,"message":...}]} says, for people.
std::string said_by(ByteSpan body) {
  const auto json = parse_json(body, {.bytes = kMaxError, .depth = 16, .values = 1000});
  if (!json || !json->is_object()) return {};
  const auto errors = optional_array(*json, "errors");
  if (!errors || !*errors || (*errors)->empty() || !(**errors)[0].is_object()) return {};
  const auto code = optional_string((**errors)[0], "code");
  const auto message = optional_string((**errors)[0], "message");
  std::string text = code ? code->value_or("").substr(0, 100) : "";
  if (message && message->has_value())
    text += (text.empty() ? "" : ": ") + (**message).substr(0, 300);
  return visible(text);
}

ErrorKind kind_of(long status) {
  switch (status) {
    case 401:
    case 403:
      return ErrorKind::bad_secret;
    case 404:
      return ErrorKind::not_found;
    case 405:
    case 415:
    case 501:
      return ErrorKind::unsupported;
    case 413:
      return ErrorKind::limit;
    case 429:
      return ErrorKind::busy;
    default:
      return ErrorKind::io;
  }
}

/// A body whose reader may not be kept waiting too long.
class PatientStream final : public ByteStream {
 public:
  PatientStream(std::unique_ptr<ByteStream> inner, std::shared_ptr<Patience> patience,
                std::string where)
      : inner_(std::move(inner)), patience_(std::move(patience)), where_(std::move(where)) {}

  Result<std::size_t> read(MutableByteSpan out) override {
    TRY(patience_->check().context(where_));
    const Patience::Wait wait(*patience_);
    const std::size_t n = TRY(inner_->read(out));
    patience_->moved(n);
    return n;
  }

 private:
  std::unique_ptr<ByteStream> inner_;
  std::shared_ptr<Patience> patience_;
  std::string where_;
};

}  // namespace

std::string server_of(const std::string& host) {
  return host == "docker.io" ? "registry-1.docker.io" : host;
}

Result<std::shared_ptr<Session>> Session::open(const Endpoint& endpoint, const std::string& named,
                                               const Options& options) {
  std::shared_ptr<Session> made(new Session());
  const std::size_t slash = endpoint.repository.find('/');
  const std::string host = endpoint.repository.substr(0, slash);
  made->where_ = endpoint.repository;
  made->name_ = slash == std::string::npos ? "" : endpoint.repository.substr(slash + 1);
  made->options_ = options;
  made->base_ = TRY(parse_url("https://" + server_of(host) + "/"));
  const bool verify = options.tls_verify.value_or(!endpoint.insecure);
  made->tls_ = TRY(find_certificates(host, options.cert_directory));
  made->tls_.verify = verify;
  const std::uint64_t least_rate = std::max<std::uint64_t>(options.least_rate, 1);
  made->client_ = TRY(HttpClient::create({.connect = options.connect_timeout,
                                          .stall = options.stall_timeout,
                                          .document = options.document_timeout,
                                          .least_rate = least_rate,
                                          .addresses = options.addresses}));
  made->patience_ = std::make_shared<Patience>(options.patience, least_rate);
  if (!verify || (is_local_host(made->base_.host) && !options.tls_verify)) {
    // An address without a port means 443 with TLS and 80 without.
    made->base_ = TRY(choose_scheme(*made->client_, made->base_, made->tls_));
    if (made->base_.scheme == "http" && made->base_.port == "443" && !host.ends_with(":443"))
      made->base_.port = "80";
  }
  made->authenticator_ =
      std::make_shared<Authenticator>(made->client_, made->base_, named.empty() ? host : named,
                                      options, made->tls_, made->patience_);
  return made;
}

Url Session::url_of(const Call& call) const {
  if (call.url) return *call.url;
  Url url = base_;
  url.target = "/v2/" + (name_.empty() ? "" : name_ + "/") + call.path;
  return url;
}

Scopes Session::scopes_of(const Call& call) const {
  if (name_.empty()) return {};
  Scopes scopes{"repository:" + name_ + (call.push ? ":pull,push" : ":pull")};
  if (!call.mount_from.empty()) scopes.push_back("repository:" + call.mount_from + ":pull");
  return scopes;
}

Result<HttpRequest> Session::request_for(const Url& url, const Call& call,
                                         const Authorization& authorization) const {
  HttpRequest request{.method = call.method, .url = url, .headers = call.headers};
  request.body = call.body;
  request.is_transfer = call.is_transfer;
  // Servers copy a large blob before they answer.
  if (call.method == "PUT") request.stall = 5 * options_.stall_timeout;
  if (same_origin(url, base_)) {
    request.authorization = authorization;
    request.tls = tls_;
  } else {
    request.refuse_local = !is_local_host(base_.host);
    if (base_.scheme == "https" && url.scheme == "http")
      return Error(ErrorKind::untrusted,
                   "refers to " + visible(url.host) + " without TLS; that is not followed");
    // Our certificate is for the registry.
    request.tls = {.verify = tls_.verify, .authorities = tls_.authorities};
  }
  return request;
}

void Session::pass_on_warnings(const HttpResponse& response) const {
  if (!options_.warn) return;
  for (const std::string& value : response.all("warning")) {
    const std::size_t open = value.find('"'), close = value.rfind('"');
    if (!value.starts_with("299 ") || open == close) continue;
    const std::string text = where_ + ": " + visible(value.substr(open + 1, close - open - 1));
    const std::lock_guard lock(mutex_);
    if (warned_.size() < 100 && warned_.insert(text).second) options_.warn(text);
  }
}

Result<Session::Answer> Session::follow(const Call& call,
                                        const Authorization& authorization) const {
  Url url = url_of(call);
  const bool may_follow = call.method == "GET" || call.method == "HEAD";
  for (unsigned hops = 0;; ++hops) {
    HttpResponse response = TRY(client_->send(TRY(request_for(url, call, authorization))));
    pass_on_warnings(response);
    if (!is_redirect(response.status) || response.header("location").empty())
      return Answer{std::move(response), !same_origin(url, base_)};
    if (!may_follow)
      return Error(ErrorKind::unsupported, "redirects a " + call.method +
                                               " request to another place; that is not followed");
    if (hops == kMaxRedirects)
      return Error(ErrorKind::limit,
                   "more than " + std::to_string(kMaxRedirects) + " redirects after each other");
    const Url next = TRY(resolve_url(url, response.header("location")));
    if (url.scheme == "https" && next.scheme == "http")
      return Error(ErrorKind::untrusted,
                   "redirects to " + visible(next.host) + " without TLS; that is not followed");
    url = next;
  }
}

Result<Session::Answer> Session::authorized(const Call& call) const {
  const Scopes scopes = scopes_of(call);
  Answer first = TRY(follow(call, TRY(authenticator_->known(scopes))));
  if (first.response.status != 401 || first.elsewhere) return first;
  const Authorization header = TRY(authenticator_->answer(first.response, scopes));
  first.response.body.reset();
  return follow(call, header);
}

Result<HttpResponse> Session::call(const Call& call) const {
  TRY(patience_->check().context(where_));
  HttpResponse response;
  {
    const Patience::Wait wait(*patience_);
    response = TRY(send(call));
  }
  if (call.body) patience_->moved(call.body->size);
  if (response.body)
    response.body = std::make_unique<PatientStream>(std::move(response.body), patience_, where_);
  return response;
}

Result<HttpResponse> Session::send(const Call& call) const {
  for (Retry retry = new_retry();;) {
    auto answer = authorized(call).context(where_);
    if (!answer) {
      if (call.repeat && is_transient(answer.error()) && retry.again()) continue;
      return std::move(answer).error();
    }
    HttpResponse& response = answer->response;
    if (answer->elsewhere && (response.status == 401 || response.status == 403)) {
      // Where it sent us, addresses expire: it may know a new one.
      if (call.repeat && retry.again()) continue;
      return Error(ErrorKind::io, where_ + ": the storage that it refers to answers with status " +
                                      std::to_string(response.status));
    }
    if (response.status == 401 || response.status == 403) {
      std::string what = call.push ? "writing is refused to " : "access is refused to ";
      Error error = failure(response, what + authenticator_->who());
      return Error(ErrorKind::bad_secret, error.message() + "; run `intact login " +
                                              where_.substr(0, where_.find('/')) + "`");
    }
    const bool unasked = response.status == 429 || response.status == 503;
    if (is_temporary(response.status) && (call.repeat || (unasked && !call.body))) {
      if (retry.again(retry_after(response))) continue;
    }
    return std::move(response);
  }
}

Error Session::failure(HttpResponse& response, const std::string& what) const {
  std::string text = where_ + ": " + what;
  const auto body = read_body(response, kMaxError);
  const std::string said = body ? said_by(*body) : std::string();
  text += said.empty() ? ": the registry answers with status " + std::to_string(response.status)
                       : ": " + said;
  if (response.status == 429) text += "; try again later";
  return Error(kind_of(response.status), std::move(text));
}

Result<Url> Session::location(const HttpResponse& response) const {
  const Url url =
      TRY(resolve_url(base_, response.header("location")).context(where_ + ": Location"));
  if (same_origin(url, base_)) return url;
  // Behind a proxy that ends TLS, registries name themselves with http.
  if (url.host == base_.host && base_.scheme == "https") {
    Url same = base_;
    same.target = url.target;
    return same;
  }
  return url;
}

}  // namespace intact::registry
