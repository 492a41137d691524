#include "auth_file.h"

#include <algorithm>

#include <fcntl.h>

#include <intact/base/file.h>
#include <intact/base/visible.h>
#include <intact/crypto/base64.h>

#include "helper.h"

namespace intact::registry {
namespace {

constexpr std::uint64_t kMaxFile = 4 * 1024 * 1024;  // bytes

/// Strings of such a file may be passwords.
void wipe_strings(Json& json) {
  if (json.is_string()) {
    auto& text = json.get_ref<std::string&>();
    crypto::wipe(std::as_writable_bytes(std::span(text)));
  } else if (json.is_structured()) {
    for (Json& child : json) wipe_strings(child);
  }
}

crypto::Secret without_trailing_nuls(std::string_view password) {
  while (!password.empty() && password.back() == '\0') password.remove_suffix(1);
  return crypto::Secret::copy_of(as_bytes(password));
}

}  // namespace

Result<AuthFile> AuthFile::read(const std::string& path) {
  auto fd = open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd && fd.error().kind() == ErrorKind::not_found) return AuthFile(Json::object(), path);
  if (!fd) return std::move(fd).error();
  Bytes bytes = TRY(read_fd(fd->get(), kMaxFile).context(path));
  auto parsed = parse(bytes, path, path.ends_with("/.dockercfg"));
  crypto::wipe(bytes);
  return parsed;
}

Result<AuthFile> AuthFile::parse(ByteSpan bytes, const std::string& path, bool old_form) {
  // Docker leaves an empty file where another program made it.
  const bool blank = std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) {
    return byte == std::byte{' '} || byte == std::byte{'\n'} || byte == std::byte{'\t'};
  });
  if (blank) return AuthFile(Json::object(), path);
  Json json =
      TRY(parse_json(bytes, {.bytes = kMaxFile, .depth = 16, .values = 100'000}).context(path));
  AuthFile file(old_form ? Json{{"auths", std::move(json)}} : std::move(json), path);
  if (!file.json_.is_object())
    return Error(ErrorKind::malformed, path + ": not a JSON object of credentials");
  TRY(optional_object(file.json_, "auths").context(path));
  TRY(optional_object(file.json_, "credHelpers").context(path));
  TRY(optional_string(file.json_, "credsStore").context(path));
  return file;
}

AuthFile::~AuthFile() {
  wipe_strings(json_);
}

Result<std::string> AuthFile::helper_of(const std::string& host) const {
  const Json* const helpers = TRY(optional_object(json_, "credHelpers").context(path_));
  if (!helpers) return std::string();
  return TRY(optional_string(*helpers, host).context(path_)).value_or("");
}

Result<std::optional<Credential>> AuthFile::entry(const Json& object,
                                                  const std::string& key) const {
  const std::string what = path_ + ": the entry of " + visible(key);
  if (!object.is_object()) return Error(ErrorKind::malformed, what + " is not an object");
  Credential credential{.user = {}, .password = {}, .identity_token = {}, .origin = path_};
  if (const auto token = object.find("identitytoken"); token != object.end() && token->is_string())
    credential.identity_token =
        crypto::Secret::copy_of(as_bytes(token->get_ref<const std::string&>()));
  if (const auto auth = object.find("auth"); auth != object.end() && auth->is_string()) {
    const crypto::Secret decoded =
        TRY(crypto::decode_base64_secret(auth->get_ref<const std::string&>()).context(what));
    const std::string_view text = decoded.expose_text();
    const std::size_t colon = text.find(':');
    if (colon != std::string_view::npos) {
      credential.user = text.substr(0, colon);
      credential.password = without_trailing_nuls(text.substr(colon + 1));
    }
  } else {
    const auto user = object.find("username");
    const auto password = object.find("password");
    if (user != object.end() && user->is_string() && password != object.end() &&
        password->is_string()) {
      credential.user = user->get<std::string>();
      credential.password =
          crypto::Secret::copy_of(as_bytes(password->get_ref<const std::string&>()));
    }
  }
  if (credential.user.empty() && credential.identity_token.empty())
    return std::optional<Credential>();
  return std::optional(std::move(credential));
}

Result<std::optional<Credential>> AuthFile::find(const std::string& repository,
                                                 const AskHelper& ask) const {
  const std::vector<std::string> keys = credential_keys(repository);
  const std::string& host = keys.back();
  const std::string server = credential_key(host);
  for (const std::string& name : {host, server}) {
    const std::string helper = TRY(helper_of(name));
    if (helper.empty()) continue;
    if (auto found = TRY(ask(helper, name).context(path_))) return found;
  }
  const Json* const auths = TRY(optional_object(json_, "auths").context(path_));
  if (auths) {
    for (const std::string& key : keys) {
      const auto exact = auths->find(key);
      if (exact == auths->end()) continue;
      if (auto found = TRY(entry(*exact, key))) return found;
    }
    for (const auto& [key, value] : auths->items()) {
      if (host_of_key(key) != host && key != server) continue;
      if (std::find(keys.begin(), keys.end(), key) != keys.end() ||
          (key.find("://") == std::string::npos && key.find('/') != std::string::npos))
        continue;
      if (auto found = TRY(entry(value, key))) return found;
    }
  }
  if (const auto store = TRY(optional_string(json_, "credsStore").context(path_));
      store && !store->empty())
    return ask(*store, server).context(path_);
  return std::optional<Credential>();
}

std::vector<std::string> credential_keys(const std::string& repository) {
  std::vector<std::string> keys{repository};
  for (std::size_t slash; (slash = keys.back().rfind('/')) != std::string::npos;)
    keys.push_back(keys.back().substr(0, slash));
  return keys;
}

std::string host_of_key(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"})
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  std::string host(key.substr(0, key.find('/')));
  return host == "index.docker.io" || host == "registry-1.docker.io" ? "docker.io" : host;
}

}  // namespace intact::registry
