#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>

namespace intact::registry {

/// Where a repository can be read, as containers-registries.conf(5) says it.
struct Endpoint {
  std::string repository;  ///< HOST[:PORT]/PATH after rewriting
  bool insecure = false;   ///< plain http, or https without a trusted certificate
  /// Which references may be asked for there.
  enum class Use { all, digests, tags } use = Use::all;
};

/// The entries [[registry]] of version 2 of the file: mirrors, other locations, insecure and
/// blocked registries.
class RegistriesConf {
 public:
  /// $CONTAINERS_REGISTRIES_CONF, else ~/.config/containers/registries.conf, else
  /// /etc/containers/registries.conf; then *.conf in the directories registries.conf.d, of the
  /// system and of the user. `path`: that file alone. Missing files are empty.
  static Result<RegistriesConf> read(const std::string& path = {});
  /// Adds the entries of one file; one of the same prefix is replaced.
  Result<void> add(std::string_view text, const std::string& path);

  /// The mirrors for HOST/PATH in their order, and last the place itself. untrusted: it is blocked.
  Result<std::vector<Endpoint>> endpoints(const std::string& repository) const;

 private:
  struct Registry {
    std::string prefix, location;
    bool insecure = false, blocked = false;
    std::vector<Endpoint> mirrors;
  };
  std::vector<Registry> registries_;
};

}  // namespace intact::registry
