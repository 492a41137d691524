#pragma once

#include <functional>
#include <optional>
#include <string>

#include <intact/base/bytes.h>
#include <intact/json/json.h>
#include <intact/registry/credentials.h>

namespace intact::registry {

/// What one file knows: "auths", "credHelpers", "credsStore".
class AuthFile {
 public:
  /// A missing file is an empty one.
  static Result<AuthFile> read(const std::string& path);
  /// ~/.dockercfg is the map "auths" itself, with keys that may be URLs.
  static Result<AuthFile> parse(ByteSpan bytes, const std::string& path, bool old_form = false);
  AuthFile(AuthFile&&) = default;
  AuthFile& operator=(AuthFile&&) = delete;
  ~AuthFile();

  /// Asks a helper by its name for a server; see ask_helper().
  using AskHelper =
      std::function<Result<std::optional<Credential>>(const std::string&, const std::string&)>;
  Result<std::optional<Credential>> find(const std::string& repository, const AskHelper& ask) const;

  /// The helper of a host alone, or empty.
  Result<std::string> helper_of(const std::string& host) const;
  Json& json() { return json_; }
  const Json& json() const { return json_; }

 private:
  AuthFile(Json json, std::string path) : json_(std::move(json)), path_(std::move(path)) {}
  Result<std::optional<Credential>> entry(const Json& object, const std::string& key) const;

  Json json_;
  std::string path_;
};

/// "HOST/a/b" to "HOST/a/b", "HOST/a", "HOST".
std::vector<std::string> credential_keys(const std::string& repository);

/// The host that a key of an old file means: without a scheme, and up to the first slash.
std::string host_of_key(std::string_view key);

}  // namespace intact::registry
