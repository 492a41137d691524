#pragma once

#include <string>

#include <intact/base/result.h>

#include "http.h"

namespace intact::registry {

/// Authorities (*.crt) and the client's certificate (*.cert with *.key) for a host with its port,
/// as containers-certs.d(5) keeps them: in `directory` if one is given, otherwise in the first
/// directory HOST:PORT of ~/.config/containers/certs.d, /etc/containers/certs.d and
/// /etc/docker/certs.d. Authorities come in addition to the system's.
Result<TlsFiles> find_certificates(const std::string& host, const std::string& directory);

}  // namespace intact::registry
