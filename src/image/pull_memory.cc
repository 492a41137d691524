#include "pull_memory.h"

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include <sys/file.h>
#include <sys/stat.h>

#include <intact/base/file.h>
#include <intact/json/json.h>

namespace intact::image {
namespace {

constexpr std::size_t kMaxBytes = 16 * 1024 * 1024;

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

}  // namespace

Result<void> remember_pull(const sign::Anchors& anchors, const std::string& store_path,
                           const std::string& name, const Digest& manifest) {
  const std::string policy =
      anchors.policy_file ? *anchors.policy_file : TRY(sign::default_policy_file_to_edit());
  const std::string file = beside(policy);
  if (const auto slash = file.rfind('/'); slash != std::string::npos && slash != 0)
    TRY(make_directories(file.substr(0, slash)));
  const UniqueFd lock = TRY(open_file(file + ".lock", O_RDWR | O_CREAT, 0644));
  if (::flock(lock.get(), LOCK_EX) != 0) return Error::from_errno(file + ".lock", errno);

  const std::string store = real_path(store_path);
  Json entries = Json::array();
  for (const Pulled& old : TRY(read_memory(file))) {
    // Stores that were deleted are forgotten, or scratch stores would pile up here for ever.
    struct stat st;
    const bool gone = ::stat(old.store.c_str(), &st) != 0 && errno == ENOENT;
    if (gone || (old.store == store && old.name == name)) continue;
    entries.push_back({{"store", old.store}, {"name", old.name}, {"manifest", old.manifest}});
  }
  entries.push_back({{"store", store}, {"name", name}, {"manifest", manifest.to_string()}});
  const Json json = {{"version", 1}, {"pulled", std::move(entries)}};
  return write_file_durably(
      file, as_bytes(json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n"), 0644);
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
      if (pulled.store != store || pulled.name != name) continue;
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
