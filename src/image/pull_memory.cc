#include "pull_memory.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>

#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/lock_file.h>
#include <intact/json/json.h>

namespace intact::image {
namespace {

constexpr std::size_t kMaxBytes = 16 * 1024 * 1024;
constexpr std::chrono::seconds kLockPatience(10);
constexpr std::uint64_t kVersion = 2;  // 1 had neither id nor real
constexpr char kRootsState[] = "/var/lib/intact-state";
constexpr char kFile[] = "/pulled.json";

struct Pulled {
  std::string store;  ///< its path as given
  std::string real;   ///< without symbolic links
  std::string id;     ///< of the store; empty: pulled by an older version
  std::string name;
  std::string manifest;
};

/// What the store at hand is to one entry.
bool is_same_place(const Pulled& pulled, const store::Store& store) {
  for (const std::string* path : {&pulled.store, &pulled.real}) {
    if (*path == store.given_path() || *path == store.path()) return true;
  }
  return false;
}
bool is_other_store(const Pulled& pulled, const store::Store& store) {
  return !pulled.id.empty() && pulled.id != store.id();
}
/// Whether the entry has something to say about that name.
bool concerns(const Pulled& pulled, const store::Store& store, const std::string& name) {
  if (pulled.name != name) return false;
  return is_same_place(pulled, store) || (!pulled.id.empty() && pulled.id == store.id());
}

/// Where older versions kept it: beside the trust policy.
std::string beside(const std::string& policy_file) {
  const std::size_t slash = policy_file.rfind('/');
  return (slash == std::string::npos ? "" : policy_file.substr(0, slash)) + kFile;
}

/// Empty when the file does not exist.
Result<std::vector<Pulled>> read_memory(const std::string& file) {
  std::vector<Pulled> all;
  auto text = read_file(file, kMaxBytes);
  if (!text && text.error().kind() == ErrorKind::not_found) return all;
  if (!text) return std::move(text).error();
  const Json json = TRY(parse_json(*text, {.bytes = kMaxBytes}).context(file));
  const std::uint64_t version = TRY(require_uint(json, "version").context(file));
  if (version < 1 || version > kVersion)
    return Error(ErrorKind::unsupported, file + ": written by a newer version of intact");
  for (const Json& entry : *TRY(require_array(json, "pulled").context(file))) {
    Pulled pulled;
    pulled.store = TRY(require_string(entry, "store").context(file));
    pulled.real = TRY(optional_string(entry, "real").context(file)).value_or(pulled.store);
    pulled.id = TRY(optional_string(entry, "id").context(file)).value_or("");
    pulled.name = TRY(require_string(entry, "name").context(file));
    pulled.manifest = TRY(require_string(entry, "manifest").context(file));
    all.push_back(std::move(pulled));
  }
  return all;
}

Result<void> write_memory(const std::string& file, const std::vector<Pulled>& all) {
  Json entries = Json::array();
  for (const Pulled& pulled : all) {
    Json entry{{"store", pulled.store}, {"real", pulled.real}};
    if (!pulled.id.empty()) entry["id"] = pulled.id;
    entry["name"] = pulled.name;
    entry["manifest"] = pulled.manifest;
    entries.push_back(std::move(entry));
  }
  const Json json = {{"version", kVersion}, {"pulled", std::move(entries)}};
  // Root's counts for everybody, so everybody reads it.
  return write_file_durably(
      file, as_bytes(json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n"),
      ::geteuid() == 0 ? 0644 : 0600);
}

/// The file of an older version that this user wrote.
std::optional<std::string> own_old_file(const sign::Anchors& anchors) {
  if (anchors.policy_file) return beside(*anchors.policy_file);
  const auto policy = sign::default_policy_file_to_edit();
  if (!policy) return std::nullopt;
  return beside(*policy);
}

std::vector<std::string> old_files(const sign::Anchors& anchors) {
  std::vector<std::string> files;
  if (anchors.policy_file) files.push_back(beside(*anchors.policy_file));
  for (const std::string& policy : sign::default_policy_files()) files.push_back(beside(policy));
  return files;
}

std::vector<std::string> files_to_check() {
  std::vector<std::string> files;
  if (const auto own = state_directory()) files.push_back(*own + kFile);
  const char* const given = std::getenv("INTACT_STATE");
  const std::string roots = std::string(kRootsState) + kFile;
  if ((!given || !*given) && (files.empty() || files.front() != roots)) files.push_back(roots);
  return files;
}

/// The entries about that name. What an older version left counts only where nothing newer does.
Result<std::vector<Pulled>> find_pulled(const sign::Anchors& anchors, const store::Store& store,
                                        const std::string& name) {
  std::vector<Pulled> found;
  const auto look_into = [&](const std::vector<std::string>& files) -> Result<void> {
    for (const std::string& file : files) {
      for (Pulled& pulled : TRY(read_memory(file))) {
        if (concerns(pulled, store, name)) found.push_back(std::move(pulled));
      }
    }
    return {};
  };
  TRY(look_into(files_to_check()));
  if (found.empty()) TRY(look_into(old_files(anchors)));
  return found;
}

enum class Others { forget, keep };

/// Adds what an older version remembered about names that `all` says nothing of.
void import(std::vector<Pulled>& all, std::vector<Pulled> old) {
  const std::size_t known = all.size();
  for (Pulled& pulled : old) {
    const auto same = [&](const Pulled& other) {
      return other.name == pulled.name &&
             (other.store == pulled.store || other.real == pulled.store);
    };
    const auto end = all.begin() + static_cast<std::ptrdiff_t>(known);
    if (std::none_of(all.begin(), end, same)) all.push_back(std::move(pulled));
  }
}

/// Adds an entry. Other manifests under the same name are forgotten, or accepted beside it.
Result<void> update_memory(const sign::Anchors& anchors, const store::Store& store,
                           const std::string& name, const Digest& manifest, Others others) {
  const std::string directory = TRY(state_directory());
  const std::string file = directory + kFile;
  TRY(make_directories(directory));
  const LockFile lock = TRY(LockFile::take(file + ".lock", kLockPatience));

  std::vector<Pulled> all = TRY(read_memory(file));
  const auto old_file = own_old_file(anchors);
  bool moved = false;
  if (old_file) {
    std::vector<Pulled> old = TRY(read_memory(*old_file));
    moved = !old.empty();
    import(all, std::move(old));
  }
  std::vector<Pulled> kept;
  for (Pulled& old : all) {
    if (concerns(old, store, name)) {
      const bool other_store = is_other_store(old, store);
      // The store that this path led to is still known where it is.
      const bool elsewhere = other_store && old.real != store.path() &&
                             old.real != store.given_path() && old.real != old.store;
      if (elsewhere) old.store = old.real;
      const bool beside_it =
          others == Others::keep && !other_store && old.manifest != manifest.to_string();
      if (!elsewhere && !beside_it) continue;
    }
    kept.push_back(std::move(old));
  }
  kept.push_back({store.given_path(), store.path(), store.id(), name, manifest.to_string()});
  TRY(write_memory(file, kept));
  if (moved) ::unlink(old_file->c_str());
  return {};
}

}  // namespace

Result<std::string> state_directory() {
  const char* const given = std::getenv("INTACT_STATE");
  if (given && *given) return std::string(given);
  if (::geteuid() == 0) return std::string(kRootsState);
  // A relative path is to be ignored, says the XDG base directory specification.
  const char* const state = std::getenv("XDG_STATE_HOME");
  if (state && state[0] == '/') return std::string(state) + "/intact";
  const char* const home = std::getenv("HOME");
  if (home && home[0] == '/') return std::string(home) + "/.local/state/intact";
  return Error(ErrorKind::invalid_argument,
               "state directory: neither XDG_STATE_HOME nor HOME is set; set INTACT_STATE");
}

Result<void> announce_pull(const sign::Anchors& anchors, const store::Store& store,
                           const std::string& name, const Digest& manifest) {
  if (!state_directory()) return {};  // nothing is remembered: remember_pull() reports it
  for (const Pulled& pulled : TRY(find_pulled(anchors, store, name))) {
    if (is_other_store(pulled, store) || pulled.manifest != manifest.to_string())
      return update_memory(anchors, store, name, manifest, Others::keep);
  }
  return {};  // names that were never pulled pass anyway
}

Result<void> remember_pull(const sign::Anchors& anchors, const store::Store& store,
                           const std::string& name, const Digest& manifest) {
  return update_memory(anchors, store, name, manifest, Others::forget);
}

bool is_remembered(const sign::Anchors&, const store::Store& store, const std::string& name,
                   const Digest& manifest) {
  const auto directory = state_directory();
  if (!directory) return false;
  const auto all = read_memory(*directory + kFile);
  if (!all) return false;
  std::size_t exact = 0;
  std::size_t about = 0;
  for (const Pulled& pulled : *all) {
    if (!concerns(pulled, store, name)) continue;
    ++about;
    exact += pulled.store == store.given_path() && pulled.id == store.id() &&
             pulled.manifest == manifest.to_string();
  }
  return exact == 1 && about == 1;
}

Result<void> check_pull_memory(const sign::Anchors& anchors, const store::Store& store,
                               const std::string& name, const Digest& manifest) {
  const std::vector<Pulled> found = TRY(find_pulled(anchors, store, name));
  const auto other_store = std::find_if(found.begin(), found.end(), [&](const Pulled& pulled) {
    return is_other_store(pulled, store);
  });
  if (other_store != found.end())
    return Error(ErrorKind::untrusted,
                 name + ": " + store.given_path() +
                     " is not the store that this image was pulled into (its id differs, as after "
                     "a disk was replaced or a symbolic link changed); put that store back, or "
                     "pull the image again with `intact pull SOURCE NAME`");
  const auto is_it = [&](const Pulled& pulled) { return pulled.manifest == manifest.to_string(); };
  if (found.empty() || std::any_of(found.begin(), found.end(), is_it)) return {};
  return Error(ErrorKind::untrusted, name + ": the store has " + manifest.to_string() +
                                         " under this name, but " + found.back().manifest +
                                         " was pulled; to accept it, pull it again with --replace");
}

}  // namespace intact::image
