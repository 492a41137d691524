#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::serve {

/// Listening sockets for NBD clients.
class NbdListener {
 public:
  /// `address`: the path of a unix socket, or tcp:HOST:PORT (an IPv6 address in brackets; for a
  /// name all of its addresses). A unix socket without a listener is replaced. busy: the address is
  /// in use. Only the user may connect to a unix socket.
  static Result<NbdListener> bind(const std::string& address);

  NbdListener(NbdListener&&) = default;
  NbdListener& operator=(NbdListener&&) = delete;
  /// Removes the unix socket, unless it was released.
  ~NbdListener();

  const std::vector<UniqueFd>& sockets() const { return sockets_; }  ///< listening
  const std::string& uri() const { return uri_; }                    ///< for clients
  /// Absolute path of the unix socket; empty for TCP.
  const std::string& path() const { return path_.value; }
  /// Leaves it to others to remove the socket.
  void release() { path_.value.clear(); }

 private:
  struct MovedString {
    std::string value;
    MovedString() = default;
    MovedString(MovedString&& other) noexcept : value(std::exchange(other.value, {})) {}
  };
  NbdListener() = default;
  Result<void> bind_unix(const std::string& path);
  Result<void> bind_tcp(std::string_view address);

  std::vector<UniqueFd> sockets_;
  std::string uri_;
  MovedString path_;
};

/// How nbdkit is to serve.
struct NbdkitOptions {
  ByteSpan plugin;             ///< the plugin: a shared object
  std::string description;     ///< of the stack that the plugin opens
  std::vector<int> inherited;  ///< descriptors that the description names, 10 or larger
  std::string announcement;    ///< printed on stdout once clients can connect; may be empty
  int log_fd = -1;             ///< damage is logged there; -1: on stderr
  /// Told by tell_ready() (service/background.h) once clients can connect; the server then leaves
  /// the terminal and writes to log_fd, which must be given. -1: none, the server stays in the
  /// foreground.
  int ready_fd = -1;
  std::string tls_certificates;  ///< directory of nbdkit's --tls-certificates: TLS is required
  std::string tls_psk;           ///< file of nbdkit's --tls-psk: TLS is required
};

/// Becomes nbdkit: this process continues as the server, so that whatever ends it ends the server.
/// SIGTERM and SIGINT close it cleanly and remove the unix socket. Returns only after an error:
/// not_found if nbdkit is not installed. Call it while the process has one thread.
///
/// nbdkit inherits what these options name and stdout and stderr, and nothing else: all other
/// descriptors are closed by the exec, and stdin is /dev/null. The numbers 3 to 9 are reused.
Error become_nbdkit(NbdListener listener, const NbdkitOptions& options);

/// Whether `path` is a unix socket.
bool is_socket(const std::string& path);

/// Ends our own NBD server that listens at the unix socket, as SIGTERM does, and waits for its
/// end: what was written is durable then. not_found: no server listens there, or not one that
/// become_nbdkit() made; busy: it has not ended within ten seconds, since clients still use it.
Result<void> end_nbd_server(const std::string& socket);

}  // namespace intact::serve
