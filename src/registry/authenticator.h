#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <intact/registry/registry.h>

#include "headers.h"
#include "http.h"
#include "patience.h"

namespace intact::registry {

/// What a request needs: "repository:NAME:pull", one string for each repository.
using Scopes = std::vector<std::string>;
using Authorization = std::shared_ptr<const crypto::Secret>;  ///< value of that header, or null

/// Answers the challenges of one registry: Basic, and Bearer with tokens from the server that it
/// names, which are kept until they expire. The credential is looked up at the first challenge and
/// goes to that registry and its token server, never in the clear unless the registry itself is
/// spoken to in the clear. Thread-safe.
class Authenticator {
 public:
  /// `base`: the registry; `repository`: HOST/PATH as the user wrote it, the key of credentials.
  Authenticator(std::shared_ptr<HttpClient> client, Url base, std::string repository,
                Options options, TlsFiles tls, std::shared_ptr<Patience> patience)
      : client_(std::move(client)),
        base_(std::move(base)),
        repository_(std::move(repository)),
        options_(std::move(options)),
        tls_(std::move(tls)),
        patience_(std::move(patience)) {}

  /// What is known to be needed already; null before the first challenge.
  Result<Authorization> known(const Scopes& scopes);
  /// What to send after a response of status 401. bad_secret: there is no credential, or the token
  /// server refuses it.
  Result<Authorization> answer(const HttpResponse& response, const Scopes& scopes);
  /// Who was refused, for messages: "the credentials of FILE" or "no credentials".
  std::string who();

 private:
  struct Token {
    Authorization header;
    std::chrono::steady_clock::time_point expires;
  };
  struct Bearer {
    Url realm;
    std::string service;
  };

  Result<void> find_credential();
  Authorization basic() const;
  Result<Authorization> token(const Scopes& scopes);
  Result<Token> fetch(const Scopes& scopes);
  Result<HttpResponse> ask(const Scopes& scopes, bool refresh);
  Result<Bearer> check_realm(const Challenge& challenge) const;

  const std::shared_ptr<HttpClient> client_;
  const Url base_;
  const std::string repository_;
  const Options options_;
  const TlsFiles tls_;
  const std::shared_ptr<Patience> patience_;

  std::mutex mutex_;
  bool looked_up_ = false;
  std::optional<Credential> credential_;
  std::optional<Bearer> bearer_;
  bool basic_ = false;
  std::map<Scopes, Token> tokens_;
};

/// The whole of a small body; limit: more bytes than that.
Result<Bytes> read_body(HttpResponse& response, std::size_t limit);

}  // namespace intact::registry
