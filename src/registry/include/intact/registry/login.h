#pragma once

#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/registry/credentials.h>
#include <intact/registry/registry.h>

// What `login` and `logout` do.
namespace intact::registry {

/// The key of stored credentials for HOST[:PORT] or HOST[:PORT]/REPO, also with a scheme and with
/// slashes at its end, as users of other tools write it. invalid_argument otherwise.
Result<std::string> login_key(std::string host);

/// Credentials that are stored in a file.
struct Login {
  std::string key;  ///< HOST[:PORT][/REPO]
  std::string user;
  std::string file;
};

/// Stores a credential that the registry accepts. Errors: invalid_argument for a user that cannot
/// be sent, otherwise those of check_login() and store_credential().
Result<Login> log_in(const std::string& file, const std::string& key, const Credential& credential,
                     const Options& options);

/// The user whose credentials a file has for a key: not_found if it has none.
Result<std::string> logged_in_user(const std::string& file, const std::string& key);

/// Credentials that were removed from a file.
struct Logout {
  std::vector<std::string> removed;  ///< keys
  std::string file;
};

/// Removes the credentials of `host`, or all if it is empty. Errors: those of login_key() and
/// remove_credential().
Result<Logout> log_out(const std::string& file, const std::string& host);

}  // namespace intact::registry
