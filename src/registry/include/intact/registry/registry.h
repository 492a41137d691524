#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/oci/image_destination.h>
#include <intact/oci/image_source.h>
#include <intact/oci/reference.h>
#include <intact/registry/credentials.h>

namespace intact::registry {

/// How registries are talked to. Copied freely; it contains no secret of its own.
struct Options {
  CredentialOptions credentials = {};
  std::string cert_directory = {};  ///< instead of certs.d/HOST:PORT
  /// false: certificates are not checked, and plain http is used where there is no TLS. Nothing:
  /// as registries.conf says, and plain http only to this machine.
  std::optional<bool> tls_verify = {};
  std::string registries_conf = {};  ///< this file alone, instead of the system's and the user's
  unsigned tries = 5;                ///< of a request whose failure may pass
  std::chrono::milliseconds retry_delay{2000};  ///< before the second; doubles each time
  std::chrono::milliseconds connect_timeout{30'000};
  std::chrono::seconds stall_timeout{60};      ///< without bytes worth mentioning
  std::chrono::seconds document_timeout{300};  ///< for a manifest, a token, a list
  /// How long a command waits for one server in all, tries again included...
  std::chrono::milliseconds patience{600'000};
  std::uint64_t least_rate = 8 * 1024;  ///< ...and a second longer for so many bytes moved
  std::size_t pages = 1000;             ///< of a list
  /// HOST:PORT:ADDRESS that need not be asked of a name server, as curl's --resolve has them.
  std::vector<std::string> addresses = {};
  std::uint64_t chunk = 16 * 1024 * 1024;             ///< bytes of an upload sent in one request
  std::function<void(const std::string&)> warn = {};  ///< told what the registry warns of
};

/// Opens any image: registries (docker://) as well as what oci::ImageSource::open() opens. Of a
/// registry, mirrors are asked before it, as registries.conf says. Blobs that arrive in pieces are
/// fetched from where they stopped. Errors: not_found; bad_secret: no credentials or wrong ones;
/// untrusted: a certificate, or a blocked registry; busy: the registry asks to come later.
Result<std::unique_ptr<oci::ImageSource>> open_source(const oci::Reference& reference,
                                                      const oci::DecompressLimits& limits,
                                                      const Options& options);

/// The same for destinations. Blobs go to a registry while the caller works on the next ones;
/// commit() waits for them, then sends the manifests and the tag last.
Result<std::unique_ptr<oci::ImageDestination>> open_destination(const oci::Reference& reference,
                                                                const Options& options);

/// The tags of a repository, as the registry sorts them. limit: more than 100,000.
Result<std::vector<std::string>> list_tags(const oci::Reference& reference, const Options& options);

/// Whether the registry HOST[:PORT] accepts the credential: bad_secret otherwise.
Result<void> check_login(const std::string& host, const Credential& credential,
                         const Options& options);

}  // namespace intact::registry
