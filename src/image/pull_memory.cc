#include "pull_memory.h"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include <sys/stat.h>

#include <intact/base/file.h>
#include <intact/base/lock_file.h>
#include <intact/json/json.h>

namespace intact::image {
namespace {

constexpr std::size_t kMaxBytes = 16 * 1024 * 1024;
constexpr std::chrono::seconds kLockPatience(10);

struct Pulled {
  std::string store;
  std::string name;
  std::string manifest;
};

std::string beside(const std::string& policy_file) {
  const std::size_t slash = policy_file.rfind('/');
  return (slash == std::string::npos ? "" : policy_file.substr(0, slash + 1)) + "pulled.json";
}

std::string real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                         &std::free);
  return real ? real.get() : path;
}

/// Empty when there is no such file.
Result<std::vector<Pulled>> read_memory(const std::string& file) {
  std::vector<Pulled> all;
  auto text = read_file(file, kMaxBytes);
  if (!text && text.error().kind() == ErrorKind::not_found) return all;
  if (!text) return std::move(text).error();
  const Json json = TRY(parse_json(*text, {.bytes = kMaxBytes}).context(file));
  if (TRY(require_uint(json, "version").context(file)) != 1)
    return Error(ErrorKind::unsupported, file + " was written by a newer version");
  for (const Json& entry : *TRY(require_array(json, "pulled").context(file))) {
    all.push_back({TRY(require_string(entry, "store").context(file)),
                   TRY(require_string(entry, "name").context(file)),
                   TRY(require_string(entry, "manifest").context(file))});
  }
  return all;
}

bool is_of(const Pulled& pulled, const std::string& store, const std::string& name) {
  return pulled.store == store && pulled.name == name;
}

Result<std::string> memory_to_edit(const sign::Anchors& anchors) {
  return beside(anchors.policy_file ? *anchors.policy_file
                                    : TRY(sign::default_policy_file_to_edit()));
}

enum class Others { forget, keep };

/// Adds an entry. Other manifests under the same name are forgotten, or else stay valid beside it.
Result<void> update_memory(const sign::Anchors& anchors, const std::string& store_path,
                           const std::string& name, const Digest& manifest, Others others) {
  const std::string file = TRY(memory_to_edit(anchors));
  if (const auto slash = file.rfind('/'); slash != std::string::npos && slash != 0)
    TRY(make_directories(file.substr(0, slash)));
  const LockFile lock = TRY(LockFile::take(file + ".lock", kLockPatience));

  const std::string store = real_path(store_path);
  Json entries = Json::array();
  for (const Pulled& old : TRY(read_memory(file))) {
    // Stores that were deleted are forgotten, or scratch stores would pile up here for ever.
    struct stat st;
    if (::stat(old.store.c_str(), &st) != 0 && errno == ENOENT) continue;
    if (is_of(old, store, name) &&
        (others == Others::forget || old.manifest == manifest.to_string()))
      continue;
    entries.push_back({{"store", old.store}, {"name", old.name}, {"manifest", old.manifest}});
  }
  entries.push_back({{"store", store}, {"name", name}, {"manifest", manifest.to_string()}});
  const Json json = {{"version", 1}, {"pulled", std::move(entries)}};
  return write_file_durably(
      file, as_bytes(json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n"), 0644);
}

}  // namespace

Result<void> announce_pull(const sign::Anchors& anchors, const std::string& store_path,
                           const std::string& name, const Digest& manifest) {
  const auto file = memory_to_edit(anchors);
  if (!file) return {};  // nobody remembers anything: remember_pull() says so
  const std::string store = real_path(store_path);
  for (const Pulled& old : TRY(read_memory(*file))) {
    if (is_of(old, store, name) && old.manifest != manifest.to_string())
      return update_memory(anchors, store_path, name, manifest, Others::keep);
  }
  return {};  // names that were never pulled pass anyway
}

Result<void> remember_pull(const sign::Anchors& anchors, const std::string& store_path,
                           const std::string& name, const Digest& manifest) {
  return update_memory(anchors, store_path, name, manifest, Others::forget);
}

Result<void> check_pull_memory(const sign::Anchors& anchors, const std::string& store_path,
                               const std::string& name, const Digest& manifest) {
  std::vector<std::string> files;
  if (anchors.policy_file) {
    files.push_back(*anchors.policy_file);
  } else {
    files = sign::default_policy_files();
  }
  const std::string store = real_path(store_path);
  std::optional<std::string> other;
  for (const std::string& policy : files) {
    for (const Pulled& pulled : TRY(read_memory(beside(policy)))) {
      if (!is_of(pulled, store, name)) continue;
      if (pulled.manifest == manifest.to_string()) return {};
      other = pulled.manifest;
    }
  }
  if (!other) return {};
  return Error(ErrorKind::untrusted,
               "the store has " + manifest.to_string() + " under the name '" + name + "', but " +
                   *other +
                   " was pulled under it: pull it again (--replace) if that is what you want");
}

}  // namespace intact::image
