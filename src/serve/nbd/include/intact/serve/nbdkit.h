#pragma once

#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/serve/nbd_listener.h>

namespace intact::serve {

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

}  // namespace intact::serve
