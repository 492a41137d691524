#include "authenticator.h"

#include <algorithm>

#include <intact/base/visible.h>
#include <intact/crypto/base64.h>
#include <intact/json/json.h>

#include "retry.h"

namespace intact::registry {
namespace {

constexpr std::size_t kMaxAnswer = 1024 * 1024;  // bytes
constexpr std::size_t kMaxToken = 48 * 1024;     // bytes
constexpr std::uint64_t kLeastLifetime = 60;     // seconds
constexpr std::uint64_t kMaxLifetime = 24 * 60 * 60;

/// A body that is wiped when it was sent.
class SecretSource final : public ByteSource {
 public:
  explicit SecretSource(crypto::Secret secret) : secret_(std::move(secret)) {}
  std::uint64_t size() const override { return secret_.size(); }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    const ByteSpan bytes = secret_.expose();
    if (offset > bytes.size() || out.size() > bytes.size() - offset)
      return Error(ErrorKind::malformed, "a read beyond the end");
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }

 private:
  crypto::Secret secret_;
};

Authorization header_of(std::string_view scheme, std::string_view value) {
  crypto::Secret made(scheme.size() + 1 + value.size());
  const MutableByteSpan out = made.expose();
  const ByteSpan first = as_bytes(scheme), second = as_bytes(value);
  std::copy(first.begin(), first.end(), out.begin());
  out[first.size()] = std::byte{' '};
  std::copy(second.begin(), second.end(),
            out.begin() + static_cast<std::ptrdiff_t>(first.size()) + 1);
  return std::make_shared<const crypto::Secret>(std::move(made));
}

void wipe(std::string& text) {
  crypto::wipe(std::as_writable_bytes(std::span(text)));
}

bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= kMaxToken &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

/// The name of the repository of a scope: what is between the first and the last colon.
std::string_view scope_name(std::string_view scope) {
  return scope.substr(0, scope.rfind(':'));
}

}  // namespace

Result<Bytes> read_body(HttpResponse& response, std::size_t limit) {
  Bytes bytes;
  if (!response.body) return bytes;
  Bytes piece(64 * 1024);
  for (;;) {
    const std::size_t n = TRY(response.body->read(piece));
    if (n == 0) return bytes;
    if (n > limit - bytes.size())
      return Error(ErrorKind::limit, "an answer of more than " + std::to_string(limit) + " bytes");
    bytes.insert(bytes.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(n));
  }
}

Result<void> Authenticator::find_credential() {
  if (looked_up_) return {};
  credential_ = TRY(registry::find_credential(repository_, options_.credentials));
  looked_up_ = true;
  return {};
}

std::string Authenticator::who() {
  const std::lock_guard lock(mutex_);
  return credential_ ? "the credentials of " + credential_->origin : std::string("no credentials");
}

Authorization Authenticator::basic() const {
  if (!credential_ || credential_->user.empty() || credential_->user == "<token>") return {};
  const ByteSpan user = as_bytes(credential_->user), password = credential_->password.expose();
  crypto::Secret both(user.size() + 1 + password.size());
  const MutableByteSpan out = both.expose();
  std::copy(user.begin(), user.end(), out.begin());
  out[user.size()] = std::byte{':'};
  std::copy(password.begin(), password.end(),
            out.begin() + static_cast<std::ptrdiff_t>(user.size()) + 1);
  std::string text = crypto::encode_base64(both.expose());
  Authorization header = header_of("Basic", text);
  wipe(text);
  return header;
}

Result<Authorization> Authenticator::known(const Scopes& scopes) {
  const std::lock_guard lock(mutex_);
  if (basic_) return basic();
  if (bearer_) return token(scopes);
  return Authorization();
}

Result<Authenticator::Bearer> Authenticator::check_realm(const Challenge& challenge) const {
  const std::string where = "the token server that " + base_.host + " names";
  const Url realm = TRY(parse_url(challenge.parameter("realm")).context(where));
  const bool local = is_local_host(base_.host);
  // A password goes over TLS, unless the registry itself is spoken to without it.
  if (realm.scheme != "https" && base_.scheme == "https" && !(local && is_local_host(realm.host)))
    return Error(ErrorKind::untrusted, where + ": " + visible(realm.host) +
                                           " would be asked without TLS; that is not done");
  if (!local && is_local_host(realm.host))
    return Error(ErrorKind::untrusted, where + ": it is this machine; that is not followed");
  return Bearer{realm, challenge.parameter("service")};
}

Result<Authorization> Authenticator::answer(const HttpResponse& response, const Scopes& scopes) {
  const std::lock_guard lock(mutex_);
  TRY(find_credential());
  const std::vector<Challenge> challenges = parse_challenges(response.all("www-authenticate"));
  const auto of = [&](std::string_view scheme) {
    return std::find_if(challenges.begin(), challenges.end(),
                        [&](const Challenge& one) { return one.scheme == scheme; });
  };
  if (const auto bearer = of("bearer"); bearer != challenges.end()) {
    bearer_ = TRY(check_realm(*bearer));
    basic_ = false;
    tokens_.erase(scopes);  // it was refused
    Scopes wanted = scopes;
    // A registry may want more of the same repository. One that names others is not believed.
    for (const std::string& scope : {bearer->parameter("scope")}) {
      for (std::string& own : wanted)
        if (scope.size() < 1000 && scope_name(scope) == scope_name(own) &&
            scope.size() > own.size() && bearer->parameter("error") == "insufficient_scope")
          own = scope;
    }
    if (scopes.empty() && bearer->parameter("scope").empty()) wanted.clear();
    Token fresh = TRY(fetch(wanted));
    Authorization header = fresh.header;
    tokens_[scopes] = std::move(fresh);
    return header;
  }
  if (of("basic") != challenges.end()) {
    basic_ = true;
    Authorization header = basic();
    if (!header)
      return Error(ErrorKind::bad_secret, "asks for a user and a password; run `intact login " +
                                              repository_.substr(0, repository_.find('/')) + "`");
    return header;
  }
  return Error(ErrorKind::unsupported,
               "asks for a kind of authentication that is not supported" +
                   (challenges.empty() ? "" : " (" + visible(challenges.front().scheme) + ")"));
}

Result<Authorization> Authenticator::token(const Scopes& scopes) {
  const auto found = tokens_.find(scopes);
  if (found != tokens_.end() && found->second.expires > std::chrono::steady_clock::now())
    return found->second.header;
  Token fresh = TRY(fetch(scopes));
  Authorization header = fresh.header;
  tokens_[scopes] = std::move(fresh);
  return header;
}

/// One request to the token server: with the refresh token, or else with the password if there is
/// one.
Result<HttpResponse> Authenticator::ask(const Scopes& scopes, bool refresh) {
  HttpRequest request{.method = "GET", .url = bearer_->realm};
  request.tls = {.verify = tls_.verify, .authorities = tls_.authorities};
  if (same_origin(bearer_->realm, base_)) request.tls = tls_;
  request.refuse_local = !is_local_host(base_.host);
  request.headers = {{"accept", "application/json"}};
  if (!refresh) {
    std::string& target = request.url.target;
    if (!bearer_->service.empty()) add_query(target, "service", bearer_->service);
    for (const std::string& scope : scopes) add_query(target, "scope", scope);
    request.authorization = basic();
    if (request.authorization) add_query(target, "account", credential_->user);
    return client_->send(std::move(request));
  }
  std::string form = "grant_type=refresh_token&client_id=intact";
  const auto add = [&form](std::string_view key, std::string_view value) {
    form += "&" + std::string(key) + "=" + percent_encode(value);
  };
  form.reserve(form.size() + 3 * credential_->identity_token.size() + 4096);
  add("refresh_token", credential_->identity_token.expose_text());
  if (!bearer_->service.empty()) add("service", bearer_->service);
  std::string all;
  for (const std::string& scope : scopes) all += (all.empty() ? "" : " ") + scope;
  add("scope", all);
  auto body = std::make_shared<SecretSource>(crypto::Secret::copy_of(as_bytes(form)));
  wipe(form);
  request.method = "POST";
  request.headers.emplace_back("content-type", "application/x-www-form-urlencoded");
  request.body = HttpBody{body, 0, body->size()};
  return client_->send(std::move(request));
}

Result<Authenticator::Token> Authenticator::fetch(const Scopes& scopes) {
  const std::string server = "token server " + visible(bearer_->realm.host);
  bool refresh = credential_ && !credential_->identity_token.empty();
  for (Retry retry(options_, *patience_);;) {
    auto response = ask(scopes, refresh).context(server);
    if (!response) {
      if (is_transient(response.error()) && retry.again()) continue;
      return std::move(response).error();
    }
    const long status = response->status;
    if (refresh && (status == 400 || status == 404 || status == 405)) {
      refresh = false;  // it does not know this form
      continue;
    }
    if (is_temporary(status)) {
      if (retry.again(retry_after(*response))) continue;
      return Error(
          status == 429 ? ErrorKind::busy : ErrorKind::io,
          server + ": answers with status " + std::to_string(status) + "; try again later");
    }
    if (status == 401 || status == 403)
      return Error(ErrorKind::bad_secret,
                   server + ": refuses " +
                       (credential_ ? "the credentials of " + credential_->origin
                                    : "access without credentials; run `intact login " +
                                          repository_.substr(0, repository_.find('/')) + "`"));
    if (status != 200)
      return Error(ErrorKind::io, server + ": answers with status " + std::to_string(status));
    auto bytes = read_body(*response, kMaxAnswer).context(server);
    if (!bytes && is_transient(bytes.error()) && retry.again()) continue;
    Bytes body = TRY(std::move(bytes));
    auto json = parse_json(body, {.bytes = kMaxAnswer, .depth = 16, .values = 10'000});
    crypto::wipe(body);
    Json answer = TRY(std::move(json).context(server));
    for (const char* key : {"token", "access_token"}) {
      if (!answer.is_object()) break;
      const auto found = answer.find(key);
      if (found == answer.end() || !found->is_string() ||
          !is_token(found->get_ref<const std::string&>()))
        continue;
      auto& text = found->get_ref<std::string&>();
      Token token{.header = header_of("Bearer", text)};
      wipe(text);
      const auto told = optional_uint(answer, "expires_in");
      const std::uint64_t lifetime = std::clamp(
          told ? told->value_or(kLeastLifetime) : kLeastLifetime, kLeastLifetime, kMaxLifetime);
      token.expires = std::chrono::steady_clock::now() + std::chrono::seconds(lifetime * 4 / 5);
      return token;
    }
    return Error(ErrorKind::malformed, server + ": its answer contains no usable token");
  }
}

}  // namespace intact::registry
