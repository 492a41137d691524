#include "pull_memory.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>

#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/lock_file.h>
#include <intact/base/trusted_file.h>
#include <intact/image/names.h>
#include <intact/json/json.h>
#include <intact/store/resolve.h>

#include "store_places.h"

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
  std::vector<std::string> places;  ///< link_places() of `store`
  std::string local_seal{};         ///< digest of its document; empty: none
  Origin origin{};

  bool is_manifest(const PulledImage& image) const {
    return manifest == image.manifest.to_string();
  }
  bool is(const PulledImage& image) const {
    return is_manifest(image) &&
           local_seal == (image.local_seal ? image.local_seal->to_string() : "");
    // Where it comes from is not compared: the manifest and its seal are what was pulled.
  }
};

/// The store at hand, and by which paths it was reached.
struct Present {
  explicit Present(const store::Store& opened)
      : store(opened), links(link_places(opened.given_path())) {}

  bool is_at(const std::string& path) const {
    return path == store.given_path() || path == store.path() ||
           std::find(links.begin(), links.end(), path) != links.end();
  }

  const store::Store& store;
  std::vector<std::string> links;
};

/// What the store at hand is to one entry.
bool is_same_place(const Pulled& pulled, const Present& present) {
  return present.is_at(pulled.store) || present.is_at(pulled.real) ||
         std::any_of(pulled.places.begin(), pulled.places.end(),
                     [&](const std::string& place) { return present.is_at(place); });
}
bool is_other_store(const Pulled& pulled, const store::Store& store) {
  return !pulled.id.empty() && pulled.id != store.id();
}
/// Whether the entry has something to say about that name.
bool concerns(const Pulled& pulled, const Present& present, const std::string& name) {
  if (pulled.name != name) return false;
  return (!pulled.id.empty() && pulled.id == present.store.id()) || is_same_place(pulled, present);
}

/// Where older versions kept it: beside the trust policy.
std::string beside(const std::string& policy_file) {
  const std::size_t slash = policy_file.rfind('/');
  return (slash == std::string::npos ? "." : policy_file.substr(0, slash)) + kFile;
}

/// A list of strings; empty if there is none.
Result<std::vector<std::string>> read_texts(const Json& entry, const char* member) {
  std::vector<std::string> texts;
  if (!entry.contains(member)) return texts;
  for (const Json& text : *TRY(require_array(entry, member))) {
    if (!text.is_string())
      return Error(ErrorKind::malformed,
                   "'" + std::string(member) + "' contains something other than text");
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

/// Empty when the file does not exist.
Result<std::vector<Pulled>> read_memory(const std::string& file,
                                        Removable removable = Removable::anywhere) {
  std::vector<Pulled> all;
  // It is believed as a policy is, so the same people may write it. That nothing was pulled is
  // believed only where nobody else could have removed what was.
  auto fd = open_trusted_file(file, TrustedOwner::root_or_self, removable);
  if (!fd && fd.error().kind() == ErrorKind::not_found) return all;
  if (!fd) return std::move(fd).error();
  const Bytes text = TRY(read_fd(fd->get(), kMaxBytes).context(file));
  const Json json = TRY(parse_json(text, {.bytes = kMaxBytes}).context(file));
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
    pulled.local_seal = TRY(optional_string(entry, "local_seal").context(file)).value_or("");
    pulled.places = TRY(read_texts(entry, "places").context(file));
    pulled.origin.place = TRY(optional_string(entry, "from").context(file)).value_or("");
    for (const std::string& digest : TRY(read_texts(entry, "through").context(file)))
      pulled.origin.through.push_back(TRY(Digest::parse(digest).context(file)));
    all.push_back(std::move(pulled));
  }
  return all;
}

/// What an older version left beside the policy, which may be in the home of another user.
Result<std::vector<Pulled>> read_old_memory(const std::string& file) {
  return read_memory(file, Removable::from_its_directory);
}

Result<void> write_memory(const std::string& file, const std::vector<Pulled>& all) {
  Json entries = Json::array();
  for (const Pulled& pulled : all) {
    Json entry{{"store", pulled.store}, {"real", pulled.real}};
    if (!pulled.id.empty()) entry["id"] = pulled.id;
    entry["name"] = pulled.name;
    entry["manifest"] = pulled.manifest;
    if (!pulled.local_seal.empty()) entry["local_seal"] = pulled.local_seal;
    if (!pulled.places.empty()) entry["places"] = pulled.places;
    if (!pulled.origin.place.empty()) entry["from"] = pulled.origin.place;
    for (const Digest& index : pulled.origin.through) entry["through"].push_back(index.to_string());
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

/// A command that is called without the variables that lead to a user's own memory must not bypass
/// it, so a memory that cannot be found is an error.
Result<std::vector<std::string>> files_to_check() {
  std::vector<std::string> files = TRY(state_directories());
  for (std::string& file : files) file += kFile;
  return files;
}

/// The entries about that name. What an older version left counts only where nothing newer does.
Result<std::vector<Pulled>> find_pulled(const sign::Anchors& anchors, const store::Store& store,
                                        const std::string& name) {
  const Present present(store);
  std::vector<Pulled> found;
  const auto look_into = [&](const std::vector<std::string>& files,
                             const auto& read) -> Result<void> {
    for (const std::string& file : files) {
      for (Pulled& pulled : TRY(read(file))) {
        if (concerns(pulled, present, name)) found.push_back(std::move(pulled));
      }
    }
    return {};
  };
  TRY(look_into(TRY(files_to_check()), [](const auto& file) { return read_memory(file); }));
  if (found.empty()) TRY(look_into(old_files(anchors), read_old_memory));
  return found;
}

enum class Others { forget, keep };

/// Whether the user's words are about this entry: see forget_pull().
bool is_meant(const Pulled& pulled, const std::string& called) {
  if (called == pulled.name) return true;
  const auto manifest = Digest::parse(pulled.manifest);
  return manifest && store::has_digest_of(called, *manifest);
}

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

/// Adds an entry, or none without a manifest. Other manifests under the same name are forgotten, or
/// accepted beside it; without a manifest, those that the user `called` are forgotten.
Result<void> update_memory(const sign::Anchors& anchors, const store::Store& store,
                           const std::string& name, const std::optional<PulledImage>& image,
                           Others others, const std::string& called = {}) {
  const std::string directory = TRY(state_directory());
  const std::string file = directory + kFile;
  TRY(make_directories(directory));
  const LockFile lock = TRY(LockFile::take(file + ".lock", kLockPatience));

  std::vector<Pulled> all = TRY(read_memory(file));
  const auto old_file = own_old_file(anchors);
  bool moved = false;
  if (old_file) {
    std::vector<Pulled> old = TRY(read_old_memory(*old_file));
    moved = !old.empty();
    import(all, std::move(old));
  }
  // Another pull has given the name a meaning since it was removed. It remembers after this.
  if (!image) {
    const auto found = store.find(name);
    if (found || found.error().kind() != ErrorKind::not_found) return {};
  }
  const Present present(store);
  std::vector<Pulled> kept;
  for (Pulled& old : all) {
    if (concerns(old, present, name)) {
      const bool other_store = is_other_store(old, store);
      // The store that this path led to is still known where it is.
      const bool elsewhere =
          image && other_store && !present.is_at(old.real) && old.real != old.store;
      if (elsewhere) {
        old.store = old.real;
        old.places.clear();
      }
      const bool beside_it = image && others == Others::keep && !other_store && !old.is(*image);
      const bool not_removed = !image && (other_store || !is_meant(old, called));
      if (!elsewhere && !beside_it && !not_removed) continue;
    }
    kept.push_back(std::move(old));
  }
  if (image)
    kept.push_back({store.given_path(), store.path(), store.id(), name, image->manifest.to_string(),
                    present.links, image->local_seal ? image->local_seal->to_string() : "",
                    image->origin});
  TRY(write_memory(file, kept));
  if (moved) ::unlink(old_file->c_str());
  return {};
}

}  // namespace

Result<std::string> state_directory() {
  const char* const given = std::getenv("INTACT_STATE");
  if (given && *given && *given != '/')
    return Error(ErrorKind::invalid_argument,
                 "INTACT_STATE: not an absolute path: " + std::string(given) +
                     "; set it to a path that starts with /");
  if (given && *given) return std::string(given);
  if (::geteuid() == 0) return std::string(kRootsState);
  // A relative path is to be ignored, says the XDG base directory specification.
  const char* const state = std::getenv("XDG_STATE_HOME");
  if (state && state[0] == '/') return std::string(state) + "/intact";
  const char* const home = std::getenv("HOME");
  if (home && home[0] == '/') return std::string(home) + "/.local/state/intact";
  return Error(ErrorKind::invalid_argument,
               "state directory: neither HOME nor XDG_STATE_HOME is an absolute path, so what this "
               "user pulled is not known; set HOME, or INTACT_STATE=" +
                   std::string(kRootsState) + " to check against the pulls of root alone");
}

Result<std::vector<std::string>> state_directories() {
  std::vector<std::string> directories{TRY(state_directory())};
  const char* const given = std::getenv("INTACT_STATE");
  if ((!given || !*given) && directories.front() != kRootsState)
    directories.emplace_back(kRootsState);
  return directories;
}

Result<void> check_replaces_nothing(const sign::Anchors& anchors, const store::Store& store,
                                    const std::string& name, const Digest& manifest) {
  std::string other;
  bool known = false;
  for (const Pulled& pulled : TRY(find_pulled(anchors, store, name))) {
    const bool same = pulled.manifest == manifest.to_string();
    // Anyone who can write to a store can change its id, or put another in its place: the path
    // still stands for what was pulled there.
    if (is_other_store(pulled, store) && !same)
      return Error(ErrorKind::untrusted,
                   name + ": " + pulled.manifest +
                       " was pulled under this name into the store at " + store.given_path() +
                       ", but this is " + manifest.to_string() +
                       " and another store (its id differs); put that store back, or pass "
                       "--replace to accept the change");
    if (is_other_store(pulled, store)) continue;
    known |= same;
    if (!same) other = pulled.manifest;
  }
  if (known || other.empty()) return {};
  return Error(ErrorKind::untrusted,
               name + ": " + other + " was pulled under this name before, but this is " +
                   manifest.to_string() + "; pass --replace to accept the change");
}

Result<void> announce_pull(const sign::Anchors& anchors, const store::Store& store,
                           const std::string& name, const PulledImage& image, bool replace) {
  // The record in the store may be missing because somebody has removed it.
  if (!replace) TRY(check_replaces_nothing(anchors, store, name, image.manifest));
  const auto found = TRY(find_pulled(anchors, store, name));
  const bool all_same = std::ranges::all_of(found, [&](const Pulled& pulled) {
    return !is_other_store(pulled, store) && pulled.is(image);
  });
  // Names that were never pulled pass without, but for their local seals.
  if (all_same && (!found.empty() || !image.local_seal)) return {};
  return update_memory(anchors, store, name, image, Others::keep);
}

Result<void> remember_pull(const sign::Anchors& anchors, const store::Store& store,
                           const std::string& name, const PulledImage& image) {
  return update_memory(anchors, store, name, image, Others::forget);
}

Result<bool> forget_pull(const store::Store& store, const std::string& name,
                         const std::string& called) {
  const std::string directory = TRY(state_directory());
  const sign::Anchors anchors;
  std::vector<Pulled> known = TRY(read_memory(directory + kFile));
  if (const auto old = own_old_file(anchors)) import(known, TRY(read_old_memory(*old)));
  const Present present(store);
  bool any = false;
  bool all = true;
  for (const Pulled& pulled : known) {
    if (!concerns(pulled, present, name) || is_other_store(pulled, store)) continue;
    (is_meant(pulled, called) ? any : all) = is_meant(pulled, called);
  }
  if (any) TRY(update_memory(anchors, store, name, std::nullopt, Others::forget, called));
  return all;
}

Result<std::vector<std::string>> remembered_names(const store::Store& store) {
  const Present present(store);
  std::vector<std::string> names;
  for (const std::string& file : TRY(files_to_check()))
    for (Pulled& pulled : TRY(read_memory(file)))
      if (concerns(pulled, present, pulled.name)) names.push_back(std::move(pulled.name));
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

bool is_remembered(const sign::Anchors&, const store::Store& store, const std::string& name,
                   const PulledImage& image) {
  const auto directory = state_directory();
  if (!directory) return false;
  const auto all = read_memory(*directory + kFile);
  if (!all) return false;
  const Present present(store);
  std::size_t exact = 0;
  std::size_t about = 0;
  for (const Pulled& pulled : *all) {
    if (!concerns(pulled, present, name)) continue;
    ++about;
    exact += pulled.store == store.given_path() && pulled.id == store.id() &&
             pulled.places == present.links && pulled.is(image) && pulled.origin == image.origin;
  }
  return exact == 1 && about == 1;
}

namespace {

Error other_seal(const std::string& name, bool has_one) {
  return Error(ErrorKind::untrusted, name +
                                         (has_one ? ": its local seal in the store is not the "
                                                    "one that this machine made last"
                                                  : ": its local seal has gone from the store") +
                                         "; pull it again with `intact pull SOURCE NAME`");
}

}  // namespace

std::string place_of(const oci::Reference& reference) {
  if (reference.transport != oci::Reference::Transport::docker) return "";
  if (!reference.tag.empty()) return reference.path + ":" + reference.tag;
  // Without either the registry is asked for this tag, and what it answers is judged by it.
  return reference.path + (reference.digest ? "" : ":latest");
}

Result<Origin> origin_of(const sign::Anchors& anchors, const store::Store& store,
                         const store::NamedImage& record) {
  Origin origin{.place = {}, .through = record.through};
  for (const Pulled& pulled : TRY(find_pulled(anchors, store, record.name))) {
    if (!pulled.is_manifest(record.manifest)) continue;
    if (!pulled.origin.place.empty()) origin.place = pulled.origin.place;
    for (const Digest& index : pulled.origin.through)
      if (std::ranges::find(origin.through, index) == origin.through.end())
        origin.through.push_back(index);
  }
  if (!origin.place.empty()) return origin;
  const auto source = oci::parse_reference(record.source);
  if (source && *source) origin.place = place_of(**source);
  return origin;
}

Result<void> check_local_seal_is_there(const sign::Anchors& anchors, const store::Store& store,
                                       const std::string& name, const Digest& manifest) {
  for (const Pulled& pulled : TRY(find_pulled(anchors, store, name)))
    if (pulled.is_manifest(manifest) && !pulled.local_seal.empty() &&
        !is_other_store(pulled, store))
      return other_seal(name, false);
  return {};
}

Result<void> check_pull_memory(const sign::Anchors& anchors, const store::Store& store,
                               const std::string& name, const PulledImage& image) {
  const std::vector<Pulled> found = TRY(find_pulled(anchors, store, name));
  const auto other_store = std::find_if(found.begin(), found.end(), [&](const Pulled& pulled) {
    return is_other_store(pulled, store);
  });
  if (other_store != found.end())
    return Error(ErrorKind::untrusted,
                 name + ": " + store.given_path() +
                     " is not the store that this image was pulled into (its id differs, as after "
                     "a disk was replaced or a symbolic link changed); put that store back, or "
                     "pull the image again with `intact pull SOURCE NAME` (with --replace if it is "
                     "another image)");
  const auto any = [&](auto fits) { return std::ranges::any_of(found, fits); };
  if (found.empty() && image.local_seal)
    return Error(ErrorKind::untrusted,
                 name +
                     ": this machine does not remember that it pulled and sealed this image; "
                     "pull it again with `intact pull SOURCE NAME`");
  if (found.empty() || any([&](const Pulled& pulled) { return pulled.is(image); })) return {};
  if (any([&](const Pulled& pulled) { return pulled.is_manifest(image); }))
    return other_seal(name, image.local_seal.has_value());
  return Error(ErrorKind::untrusted, name + ": the store has " + image.manifest.to_string() +
                                         " under this name, but " + found.back().manifest +
                                         " was pulled; to accept it, pull it again with --replace");
}

Result<std::vector<std::string>> lost_names(const store::Store& store) {
  std::vector<std::string> lost;
  for (std::string& name : TRY(remembered_names(store))) {
    const auto found = store.find(name);
    if (!found && found.error().kind() == ErrorKind::not_found) lost.push_back(std::move(name));
  }
  return lost;
}

Error lost_name(const std::string& name) {
  return Error(ErrorKind::not_found,
               name +
                   ": was pulled into this store, which no longer has the name; pull it again, "
                   "or run `intact rm " +
                   name + "` if that is right");
}

}  // namespace intact::image
