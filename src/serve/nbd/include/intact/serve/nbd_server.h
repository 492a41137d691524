#pragma once

#include <string>

#include <intact/base/result.h>

namespace intact::serve {

/// Whether `path` is a unix socket.
bool is_socket(const std::string& path);

/// Ends our own NBD server that listens at the unix socket, as SIGTERM does, and waits for its
/// end: what was written is durable then. not_found: no server listens there, or not one that
/// become_nbdkit() made; busy: it has not ended within ten seconds, since clients still use it.
Result<void> end_nbd_server(const std::string& socket);

}  // namespace intact::serve
