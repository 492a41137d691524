#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <intact/registry/registry.h>

#include "authenticator.h"
#include "http.h"
#include "patience.h"
#include "registries_conf.h"
#include "retry.h"

namespace intact::registry {

/// A request to a registry.
struct Call {
  std::string method;
  std::string path = {};        ///< below /v2/NAME/, such as "blobs/DIGEST"
  std::optional<Url> url = {};  ///< instead of it: where the registry said
  std::vector<HttpHeader> headers = {};
  std::optional<HttpBody> body = {};
  bool push = false;            ///< needs the right to write
  std::string mount_from = {};  ///< another repository that it reads from
  bool is_transfer = false;
  bool repeat = true;  ///< it may be sent again if its fate is unknown
};

/// One repository of one server. Sends requests with credentials, follows redirects, tries again
/// when that may help. Thread-safe.
class Session {
 public:
  /// `named`: HOST/PATH as the user wrote it. Finds out whether the server speaks TLS if it need
  /// not.
  static Result<std::shared_ptr<Session>> open(const Endpoint& endpoint, const std::string& named,
                                               const Options& options);

  /// Any answer but 401 and 403, which are errors (bad_secret), and those that mean "not now" after
  /// the last try: the caller judges the status. io: the server has kept us waiting too long in
  /// all, which may be said when the body is read.
  Result<HttpResponse> call(const Call& call) const;

  /// The error of an answer of another status than was hoped for, with what the server said.
  Error failure(HttpResponse& response, const std::string& what) const;

  const std::string& where() const { return where_; }  ///< HOST/PATH, for messages
  const std::string& name() const { return name_; }    ///< of the repository, without the host
  const Url& base() const { return base_; }
  const Options& options() const { return options_; }
  /// For one operation on this server.
  Retry new_retry() const { return {options_, *patience_}; }
  /// The URL that an answer names in Location. On another host it gets no credentials.
  Result<Url> location(const HttpResponse& response) const;

 private:
  struct Answer {
    HttpResponse response;
    bool elsewhere = false;  ///< from a server that the registry sent us to
  };

  Session() = default;
  Url url_of(const Call& call) const;
  Scopes scopes_of(const Call& call) const;
  Result<Answer> follow(const Call& call, const Authorization& authorization) const;
  Result<Answer> authorized(const Call& call) const;
  Result<HttpResponse> send(const Call& call) const;
  Result<HttpRequest> request_for(const Url& url, const Call& call,
                                  const Authorization& authorization) const;
  void pass_on_warnings(const HttpResponse& response) const;

  std::shared_ptr<HttpClient> client_;
  std::shared_ptr<Patience> patience_;
  std::shared_ptr<Authenticator> authenticator_;
  Url base_;
  std::string where_, name_;
  Options options_;
  TlsFiles tls_;
  mutable std::mutex mutex_;
  mutable std::set<std::string> warned_;
};

/// The host that serves a registry and its name in a URL: Docker Hub has two.
std::string server_of(const std::string& host);

}  // namespace intact::registry
