#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/crypto/secret.h>

namespace intact::registry {

/// Who we are to a registry.
struct Credential {
  std::string user;
  crypto::Secret password;
  crypto::Secret identity_token;  ///< a refresh token, instead of a password
  std::string origin;             ///< where it was found, for messages
};

/// Where credentials are looked for.
struct CredentialOptions {
  std::string auth_file = {};                         ///< --authfile; only this one is read then
  std::shared_ptr<const Credential> credential = {};  ///< nothing is looked up then
  bool anonymous = false;                             ///< --no-creds
};

/// The credential for a repository ("HOST/a/b") in the order of containers/image: the file asked
/// for or $REGISTRY_AUTH_FILE alone, otherwise the auth.json of the runtime directory and of
/// ~/.config/containers, Docker's config.json and ~/.dockercfg; in each file the helper of the
/// host, then the longest key that leads to the repository, then the helper of all hosts. Nothing
/// if there is none. malformed: a file that exists cannot be read; io: a helper failed.
Result<std::optional<Credential>> find_credential(const std::string& repository,
                                                  const CredentialOptions& options);

/// The file that login() writes: --authfile, $REGISTRY_AUTH_FILE, or auth.json in the runtime
/// directory.
Result<std::string> login_file(const CredentialOptions& options);

/// Stores a credential for `key` (HOST or HOST/REPO), with the helper that the file names for the
/// host or in the file itself: mode 0600, replaced at once, everything else in it is kept.
Result<void> store_credential(const std::string& file, const std::string& key,
                              const Credential& credential);

/// Removes it again; not_found if there is none.
Result<void> remove_credential(const std::string& file, const std::string& key);

/// Removes all; returns their keys.
Result<std::vector<std::string>> remove_all_credentials(const std::string& file);

/// The user that a file has for a key, or empty.
Result<std::string> stored_user(const std::string& file, const std::string& key);

/// The key of a host in such files: Docker Hub has an old one.
std::string credential_key(const std::string& host);

}  // namespace intact::registry
