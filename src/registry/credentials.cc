#include <chrono>
#include <cstdlib>

#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/lock_file.h>
#include <intact/base/visible.h>
#include <intact/crypto/base64.h>
#include <intact/registry/credentials.h>

#include "auth_file.h"
#include "helper.h"

namespace intact::registry {
namespace {

constexpr std::chrono::seconds kLockPatience{30};

/// An absolute path of the environment, or empty: a relative one would depend on where we are.
std::string directory_of(const char* variable) {
  const char* const value = std::getenv(variable);
  return value && value[0] == '/' ? value : "";
}

std::string home_file(const std::string& name) {
  const std::string home = directory_of("HOME");
  return home.empty() ? "" : home + "/" + name;
}

std::string runtime_file() {
  const std::string runtime = directory_of("XDG_RUNTIME_DIR");
  const std::string top =
      runtime.empty() ? "/run/containers/" + std::to_string(::getuid()) : runtime + "/containers";
  return top + "/auth.json";
}

/// The only file to be read, if one was named.
std::string named_file(const CredentialOptions& options) {
  if (!options.auth_file.empty()) return options.auth_file;
  const char* const value = std::getenv("REGISTRY_AUTH_FILE");
  return value ? value : "";
}

std::vector<std::string> files(const CredentialOptions& options) {
  if (const std::string named = named_file(options); !named.empty()) return {named};
  const std::string config = directory_of("XDG_CONFIG_HOME");
  const std::string docker = directory_of("DOCKER_CONFIG");
  return {
      runtime_file(),
      config.empty() ? home_file(".config/containers/auth.json") : config + "/containers/auth.json",
      docker.empty() ? home_file(".docker/config.json") : docker + "/config.json",
      home_file(".dockercfg")};
}

std::string host_of(const std::string& key) {
  return key.substr(0, key.find('/'));
}

/// Changes the file as a whole, while nobody else who uses this lock does.
Result<void> change(const std::string& path, const std::function<Result<void>(AuthFile&)>& edit) {
  const std::size_t slash = path.rfind('/');
  if (slash != std::string::npos && slash != 0) TRY(make_directories(path.substr(0, slash), 0700));
  const LockFile lock = TRY(LockFile::take(path + ".lock", kLockPatience));
  AuthFile file = TRY(AuthFile::read(path));
  TRY(edit(file));
  std::string text = file.json().dump(1, '\t', false, Json::error_handler_t::replace) + "\n";
  auto written = write_file_durably(path, as_bytes(text), 0600);
  crypto::wipe(std::as_writable_bytes(std::span(text)));
  return written;
}

Error not_logged_in(const std::string& key, const std::string& file) {
  return Error(ErrorKind::not_found, visible(key) + ": no credentials in " + file);
}

}  // namespace

std::string credential_key(const std::string& host) {
  return host == "docker.io" ? "https://index.docker.io/v1/" : host;
}

Result<std::optional<Credential>> find_credential(const std::string& repository,
                                                  const CredentialOptions& options) {
  if (options.anonymous) return std::optional<Credential>();
  if (options.credential) {
    const Credential& given = *options.credential;
    return std::optional(Credential{.user = given.user,
                                    .password = crypto::Secret::copy_of(given.password.expose()),
                                    .identity_token = {},
                                    .origin = given.origin});
  }
  for (const std::string& path : files(options)) {
    if (path.empty()) continue;
    const AuthFile file = TRY(AuthFile::read(path));
    if (auto found = TRY(file.find(repository, ask_helper))) return found;
  }
  return std::optional<Credential>();
}

Result<std::string> login_file(const CredentialOptions& options) {
  const std::string named = named_file(options);
  return named.empty() ? runtime_file() : named;
}

Result<void> store_credential(const std::string& file, const std::string& key,
                              const Credential& credential) {
  const AuthFile present = TRY(AuthFile::read(file));
  if (const std::string helper = TRY(present.helper_of(host_of(key))); !helper.empty())
    return tell_helper(helper, host_of(key), credential);
  return change(file, [&](AuthFile& changed) -> Result<void> {
    crypto::Secret both(credential.user.size() + 1 + credential.password.size());
    const MutableByteSpan out = both.expose();
    const ByteSpan user = as_bytes(credential.user), password = credential.password.expose();
    std::copy(user.begin(), user.end(), out.begin());
    out[user.size()] = std::byte{':'};
    std::copy(password.begin(), password.end(), out.begin() + user.size() + 1);
    changed.json()["auths"][key] = Json{{"auth", crypto::encode_base64(both.expose())}};
    return {};
  });
}

Result<void> remove_credential(const std::string& file, const std::string& key) {
  const AuthFile present = TRY(AuthFile::read(file));
  if (const std::string helper = TRY(present.helper_of(host_of(key))); !helper.empty())
    return erase_from_helper(helper, host_of(key));
  return change(file, [&](AuthFile& changed) -> Result<void> {
    if (!TRY(optional_object(changed.json(), "auths"))) return not_logged_in(key, file);
    if (changed.json()["auths"].erase(key) == 0) return not_logged_in(key, file);
    return {};
  });
}

Result<std::vector<std::string>> remove_all_credentials(const std::string& file) {
  std::vector<std::string> removed;
  TRY(change(file, [&](AuthFile& changed) -> Result<void> {
    if (!TRY(optional_object(changed.json(), "auths"))) return {};
    for (const auto& [key, value] : changed.json()["auths"].items()) removed.push_back(key);
    changed.json()["auths"] = Json::object();
    return {};
  }));
  return removed;
}

Result<std::string> stored_user(const std::string& file, const std::string& key) {
  const AuthFile present = TRY(AuthFile::read(file));
  const auto found = TRY(present.find(key, ask_helper));
  return found ? found->user : std::string();
}

}  // namespace intact::registry
