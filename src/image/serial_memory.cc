#include "serial_memory.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/lock_file.h>
#include <intact/base/trusted_file.h>
#include <intact/base/visible.h>
#include <intact/json/json.h>

#include "pull_memory.h"

namespace intact::image {
namespace {

constexpr std::size_t kMaxBytes = 16 * 1024 * 1024;
constexpr std::chrono::seconds kLockPatience(10);
constexpr std::uint64_t kVersion = 1;
constexpr char kFile[] = "/serials.json";

/// The highest number of an identity, or of a name in a store.
struct Highest {
  std::string identity;
  std::string store;  ///< its path; empty: for an identity
  std::string id;     ///< of the store
  std::string name;
  std::uint64_t serial = 0;

  bool is_for_identity(const sign::Verdict& signer) const {
    return store.empty() && !identity.empty() && identity == signer.identity;
  }
  bool is_for_name(const store::Store& in, const std::string& wanted) const {
    if (store.empty() || name != wanted) return false;
    return store == in.path() || store == in.given_path() || (!id.empty() && id == in.id());
  }
};

/// Empty when the file does not exist.
Result<std::vector<Highest>> read_serials(const std::string& file) {
  std::vector<Highest> all;
  // It is believed as the memory of pulls is.
  auto fd = open_trusted_file(file, TrustedOwner::root_or_self, Removable::anywhere);
  if (!fd && fd.error().kind() == ErrorKind::not_found) return all;
  if (!fd) return std::move(fd).error();
  const Json json =
      TRY(parse_json(TRY(read_fd(fd->get(), kMaxBytes).context(file)), {.bytes = kMaxBytes})
              .context(file));
  if (TRY(require_uint(json, "version").context(file)) != kVersion)
    return Error(ErrorKind::unsupported, file + ": written by a newer version of intact");
  for (const Json& entry : *TRY(require_array(json, "serials").context(file))) {
    Highest highest;
    highest.identity = TRY(optional_string(entry, "identity").context(file)).value_or("");
    highest.store = TRY(optional_string(entry, "store").context(file)).value_or("");
    highest.id = TRY(optional_string(entry, "id").context(file)).value_or("");
    highest.name = TRY(optional_string(entry, "name").context(file)).value_or("");
    highest.serial = TRY(require_uint(entry, "serial").context(file));
    all.push_back(std::move(highest));
  }
  return all;
}

Result<void> write_serials(const std::string& file, const std::vector<Highest>& all) {
  Json entries = Json::array();
  for (const Highest& highest : all) {
    Json entry = Json::object();
    if (highest.store.empty()) {
      entry["identity"] = highest.identity;
    } else {
      entry["store"] = highest.store;
      if (!highest.id.empty()) entry["id"] = highest.id;
      entry["name"] = highest.name;
    }
    entry["serial"] = highest.serial;
    entries.push_back(std::move(entry));
  }
  const Json json = {{"version", kVersion}, {"serials", std::move(entries)}};
  return write_file_durably(
      file, as_bytes(json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n"),
      ::geteuid() == 0 ? 0644 : 0600);
}

/// Raises the entry that fits, or adds one. Whether anything has changed.
bool raise(std::vector<Highest>& all, const auto& fits, Highest wanted) {
  const auto known = std::ranges::find_if(all, fits);
  if (known == all.end()) {
    all.push_back(std::move(wanted));
    return true;
  }
  if (known->serial >= wanted.serial) return false;
  known->serial = wanted.serial;
  return true;
}

}  // namespace

Result<void> check_serial(const store::Store& store, const std::string& name,
                          const sign::Verdict& signer) {
  for (const std::string& directory : TRY(state_directories())) {
    for (const Highest& highest : TRY(read_serials(directory + kFile))) {
      const bool of_identity = highest.is_for_identity(signer);
      if (!of_identity && !highest.is_for_name(store, name)) continue;
      if (signer.serial && *signer.serial >= highest.serial) continue;
      return Error(
          ErrorKind::untrusted,
          fmt::format(
              "{}: the image has {}, but one with {} was pulled before {} '{}'; get the newest "
              "image, or pass --allow-older to accept this one",
              visible(name),
              signer.serial ? fmt::format("the serial number {}", *signer.serial)
                            : std::string("no signed serial number"),
              highest.serial, of_identity ? "as" : "under the name",
              visible(of_identity ? signer.identity : name)));
    }
  }
  return {};
}

Result<void> remember_serial(const store::Store& store, const std::string& name,
                             const sign::Verdict& signer) {
  if (!signer.serial) return {};
  const std::string directory = TRY(state_directory());
  const std::string file = directory + kFile;
  TRY(make_directories(directory));
  const LockFile lock = TRY(LockFile::take(file + ".lock", kLockPatience));
  std::vector<Highest> all = TRY(read_serials(file));
  bool changed =
      raise(all, [&](const Highest& highest) { return highest.is_for_name(store, name); },
            {.identity = {},
             .store = store.path(),
             .id = store.id(),
             .name = name,
             .serial = *signer.serial});
  if (!signer.identity.empty())
    changed |= raise(
        all, [&](const Highest& highest) { return highest.is_for_identity(signer); },
        {.identity = signer.identity, .store = {}, .id = {}, .name = {}, .serial = *signer.serial});
  if (!changed) return {};
  return write_serials(file, all);
}

}  // namespace intact::image
