#include "registries_conf.h"

#include <algorithm>
#include <cstdlib>

#include <fcntl.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/base/visible.h>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wconversion"
// toml++ asserts, or with NDEBUG assumes, what a file need not keep, in places where it goes on to
// find the error itself.
#undef NDEBUG
#define TOML_ASSERT(expr) static_assert(true)
#include <toml++/toml.h>
#pragma GCC diagnostic pop

namespace intact::registry {
namespace {

constexpr std::uint64_t kMaxFile = 1024 * 1024;  // bytes

std::string config_home() {
  const char* const config = std::getenv("XDG_CONFIG_HOME");
  if (config && config[0] == '/') return config;
  const char* const home = std::getenv("HOME");
  return home && home[0] == '/' ? std::string(home) + "/.config" : "";
}

Error malformed(const std::string& path, const std::string& why) {
  return Error(ErrorKind::malformed, path + ": " + why);
}

/// A value of the type that the format has there; absent is the default.
template <typename T>
Result<T> value_of(const toml::table& table, const char* key, T otherwise,
                   const std::string& path) {
  const toml::node* const node = table.get(key);
  if (!node) return otherwise;
  const auto value = node->value_exact<T>();
  if (!value) return malformed(path, std::string(key) + " has a value of the wrong type");
  return *value;
}

Result<Endpoint> read_mirror(const toml::table& table, bool by_digest_only,
                             const std::string& path) {
  Endpoint mirror{TRY(value_of<std::string>(table, "location", "", path)),
                  TRY(value_of(table, "insecure", false, path)),
                  by_digest_only ? Endpoint::Use::digests : Endpoint::Use::all};
  if (mirror.repository.empty()) return malformed(path, "a mirror has no location");
  const std::string use = TRY(value_of<std::string>(table, "pull-from-mirror", "", path));
  if (use == "digest-only") mirror.use = Endpoint::Use::digests;
  if (use == "tag-only") mirror.use = Endpoint::Use::tags;
  if (!use.empty() && use != "all" && use != "digest-only" && use != "tag-only")
    return malformed(
        path, "pull-from-mirror is '" + visible(use) + "', not all, digest-only or tag-only");
  return mirror;
}

/// Whether a prefix leads to a repository: whole components only, "*.host" for names below a host.
/// Returns the length of what it stands for.
std::size_t matching(const std::string& prefix, const std::string& repository) {
  if (prefix.starts_with("*.")) {
    const std::string host = repository.substr(0, repository.find('/'));
    const std::string_view end = std::string_view(prefix).substr(1);
    return host.size() > end.size() && host.ends_with(end) ? host.size() : 0;
  }
  if (prefix.empty() || !repository.starts_with(prefix)) return 0;
  if (repository.size() == prefix.size()) return prefix.size();
  const char next = repository[prefix.size()];
  return next == '/' ? prefix.size() : 0;
}

}  // namespace

Result<void> RegistriesConf::add(std::string_view text, const std::string& path) {
  const toml::parse_result parsed = toml::parse(text, path);
  if (!parsed)
    return malformed(path, "line " + std::to_string(parsed.error().source().begin.line) + ": " +
                               visible(parsed.error().description()));
  const toml::table& top = parsed.table();
  const toml::node* const list = top.get("registry");
  if (!list) return {};
  const toml::array* const registries = list->as_array();
  if (!registries) return malformed(path, "registry is not a list of tables");
  for (const toml::node& node : *registries) {
    const toml::table* const table = node.as_table();
    if (!table) return malformed(path, "registry is not a list of tables");
    Registry registry;
    registry.prefix = TRY(value_of<std::string>(*table, "prefix", "", path));
    registry.location = TRY(value_of<std::string>(*table, "location", "", path));
    if (registry.prefix.empty()) registry.prefix = registry.location;
    if (registry.prefix.empty())
      return malformed(path, "a registry has neither prefix nor location");
    registry.insecure = TRY(value_of(*table, "insecure", false, path));
    registry.blocked = TRY(value_of(*table, "blocked", false, path));
    const bool by_digest = TRY(value_of(*table, "mirror-by-digest-only", false, path));
    if (const toml::node* const mirrors = table->get("mirror")) {
      const toml::array* const array = mirrors->as_array();
      if (!array) return malformed(path, "mirror is not a list of tables");
      for (const toml::node& one : *array) {
        if (!one.is_table()) return malformed(path, "mirror is not a list of tables");
        registry.mirrors.push_back(TRY(read_mirror(*one.as_table(), by_digest, path)));
      }
    }
    std::erase_if(registries_,
                  [&](const Registry& other) { return other.prefix == registry.prefix; });
    registries_.push_back(std::move(registry));
  }
  return {};
}

Result<RegistriesConf> RegistriesConf::read(const std::string& path) {
  RegistriesConf conf;
  const auto add_file = [&](const std::string& file) -> Result<bool> {
    auto fd = open_file(file, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!fd && fd.error().kind() == ErrorKind::not_found) return false;
    if (!fd) return std::move(fd).error();
    const Bytes bytes = TRY(read_fd(fd->get(), kMaxFile).context(file));
    TRY(conf.add(as_text(bytes), file));
    return true;
  };
  const auto add_directory = [&](const std::string& directory) -> Result<void> {
    const auto fd = open_file(directory, O_RDONLY | O_DIRECTORY);
    if (!fd) return {};
    for (const std::string& name : TRY(list_names(fd->get()).context(directory)))
      if (name.ends_with(".conf")) TRY(add_file(directory + "/" + name));
    return {};
  };
  if (!path.empty()) {
    TRY(add_file(path));
    return conf;
  }
  const char* const named = std::getenv("CONTAINERS_REGISTRIES_CONF");
  if (named && *named) {
    TRY(add_file(named));
    return conf;
  }
  const std::string home = config_home();
  const bool own = !home.empty() && TRY(add_file(home + "/containers/registries.conf"));
  if (!own) TRY(add_file("/etc/containers/registries.conf"));
  TRY(add_directory("/etc/containers/registries.conf.d"));
  if (!home.empty()) TRY(add_directory(home + "/containers/registries.conf.d"));
  return conf;
}

Result<std::vector<Endpoint>> RegistriesConf::endpoints(const std::string& repository) const {
  const Registry* best = nullptr;
  for (const Registry& registry : registries_) {
    if (matching(registry.prefix, repository) == 0) continue;
    if (!best || registry.prefix.size() > best->prefix.size()) best = &registry;
  }
  if (!best) return std::vector<Endpoint>{{repository}};
  if (best->blocked)
    return Error(ErrorKind::untrusted, repository + ": the registry is blocked by registries.conf");
  const std::string rest = repository.substr(matching(best->prefix, repository));
  std::vector<Endpoint> all = best->mirrors;
  for (Endpoint& mirror : all) mirror.repository += rest;
  const bool rewrites = !best->location.empty() && best->location != best->prefix;
  all.push_back({rewrites ? best->location + rest : repository, best->insecure});
  return all;
}

}  // namespace intact::registry
