#pragma once

#include <string>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/serve/nbd_listener.h>

namespace intact::serve {

/// How nbdkit is to serve.
struct NbdkitOptions {
  ByteSpan plugin;           ///< the plugin: a shared object
  std::string description;   ///< of the stack that the plugin opens
  std::string status_dir;    ///< where others may ask the plugin how it goes; may be empty
  std::string announcement;  ///< is printed on stdout once clients may come; may be empty
  int log_fd = -1;           ///< what is damaged is written there; -1: to stderr
  /// Gets the byte 'R' once clients may come; the server then leaves the terminal for log_fd, which
  /// must be given. -1: none, the server stays in the foreground.
  int ready_fd = -1;
  std::string tls_certificates;  ///< directory of nbdkit's --tls-certificates: TLS is required
  std::string tls_psk;           ///< file of nbdkit's --tls-psk: TLS is required
};

/// Becomes nbdkit: this process goes on as the server, so that whatever ends it ends the server.
/// SIGTERM and SIGINT close it cleanly and take the unix socket away. Returns only an error:
/// not_found when nbdkit is not installed. To be called while there is one thread only.
///
/// Descriptors below 10 other than 0 to 2 may be reused; those that the description names are
/// inherited.
Error become_nbdkit(NbdListener listener, const NbdkitOptions& options);

}  // namespace intact::serve
