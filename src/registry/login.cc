#include <intact/base/visible.h>
#include <intact/oci/reference.h>
#include <intact/registry/login.h>

namespace intact::registry {

Result<std::string> login_key(std::string host) {
  for (const std::string_view scheme : {"https://", "http://", "docker://"})
    if (host.starts_with(scheme)) host = host.substr(scheme.size());
  while (host.ends_with('/')) host.pop_back();
  const bool has_repository = host.find('/') != std::string::npos;
  const auto reference =
      oci::parse_reference("docker://" + host + (has_repository ? "" : "/some/repository"));
  if (!reference || !*reference)
    return Error(ErrorKind::invalid_argument,
                 "'" + visible(host) + "': not a registry; write HOST[:PORT], such as docker.io");
  const std::string& path = (*reference)->path;
  return has_repository ? path : path.substr(0, path.find('/'));
}

Result<Login> log_in(const std::string& file, const std::string& key, const Credential& credential,
                     const Options& options) {
  if (credential.user.find(':') != std::string::npos)
    return Error(ErrorKind::invalid_argument, "--username: contains a colon, which cannot be sent");
  TRY(check_login(key, credential, options));
  TRY(store_credential(file, key, credential));
  return Login{.key = key, .user = credential.user, .file = file};
}

Result<std::string> logged_in_user(const std::string& file, const std::string& key) {
  std::string user = TRY(stored_user(file, key));
  if (user.empty())
    return Error(ErrorKind::not_found, key + ": not logged in; run `intact login " + key + "`");
  return user;
}

Result<Logout> log_out(const std::string& file, const std::string& host) {
  if (host.empty()) return Logout{.removed = TRY(remove_all_credentials(file)), .file = file};
  const std::string key = TRY(login_key(host));
  TRY(remove_credential(file, key));
  return Logout{.removed = {key}, .file = file};
}

}  // namespace intact::registry
