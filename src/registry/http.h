#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/crypto/secret.h>

#include "url.h"

namespace intact::registry {

/// How servers are known, and we to them.
struct TlsFiles {
  bool verify = true;
  std::string authorities;  ///< PEM of all that are trusted; empty: the system's
  std::string certificate;  ///< file of the client's certificate; may be empty
  std::string key;          ///< file of its key
};

struct HttpTimeouts {
  std::chrono::milliseconds connect{30'000};
  std::chrono::seconds stall{60};  ///< with less than 100 bytes a second
  std::chrono::seconds document{
      300};  ///< for the whole of a request other than the transfer of a blob
  std::uint64_t least_rate = 8 * 1024;      ///< of a body that is sent, in bytes a second
  std::vector<std::string> addresses = {};  ///< HOST:PORT:ADDRESS, not asked of a name server
};

/// What is sent with a request: a part of a source.
struct HttpBody {
  std::shared_ptr<const ByteSource> source;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

/// A name in lower case, and a value.
using HttpHeader = std::pair<std::string, std::string>;

struct HttpRequest {
  std::string method;
  Url url;
  std::vector<HttpHeader> headers = {};
  std::shared_ptr<const crypto::Secret> authorization = {};  ///< value of that header; may be null
  std::optional<HttpBody> body = {};
  TlsFiles tls = {};
  bool refuse_local = false;  ///< another server chose the URL: it must not lead to this machine
  bool is_transfer = false;   ///< of a blob: takes as long as its bytes need
  std::chrono::seconds stall{0};  ///< instead of that of HttpTimeouts; 0: that
};

struct HttpResponse {
  long status = 0;
  std::vector<HttpHeader> headers;
  /// Ends the transfer when it is destroyed. An error of it that another attempt may avoid has
  /// is_transient().
  std::unique_ptr<ByteStream> body;

  /// The first header of that name (lower case), or empty.
  std::string header(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
};

/// Whether the connection broke or stalled, so that asking again may help.
bool is_transient(const Error& error);

/// Sends requests with libcurl: one thread drives all transfers, which share connections. It knows
/// HTTP and no registry: no redirect is followed, no status is an error. Proxies come from the
/// environment, but never for this machine. Thread-safe.
class HttpClient {
 public:
  static Result<std::shared_ptr<HttpClient>> create(const HttpTimeouts& timeouts);
  virtual ~HttpClient() = default;
  /// Returns once the headers of the answer are there. invalid_argument: a header contains control
  /// characters. untrusted: the server's certificate; io: everything else; limit: too long headers.
  virtual Result<HttpResponse> send(HttpRequest request) = 0;
};

}  // namespace intact::registry
