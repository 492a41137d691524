#include <cerrno>
#include <set>
#include <unordered_set>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/store/gc.h>

#include "inventory.h"
#include "layout.h"

namespace intact::store {
namespace {

/// Everything that must stay.
struct Marked {
  References references;
  std::set<std::string> payloads;
};

/// Why nothing is removed. A record or an image that cannot be read may refer to anything.
Error refuse(const Error& error, const std::string& what) {
  ErrorKind kind = error.kind();
  if (kind == ErrorKind::not_found || kind == ErrorKind::malformed || kind == ErrorKind::limit)
    kind = ErrorKind::tampered;
  return Error(kind,
               "nothing was removed, since " + what + " cannot be verified (" + error.message() +
                   "): pull it again or remove its name, then collect",
               error.sys_errno());
}

Result<Marked> mark(const Store& store, const ListPayloads& list_payloads) {
  Marked marked;
  auto named = store.list();
  if (!named) return refuse(std::move(named).error(), "a name");
  for (const NamedImage& image : *named) marked.references.add(image);
  std::unordered_set<Digest> images;
  auto add_payloads = [&](const Digest& digest, const std::string& what) -> Result<void> {
    if (!images.insert(digest).second) return {};
    auto payloads = list_payloads(digest);
    if (!payloads) return refuse(std::move(payloads).error(), what);
    marked.payloads.insert(payloads->begin(), payloads->end());
    return {};
  };
  for (const NamedImage& image : *named) TRY(add_payloads(image.image, "'" + image.name + "'"));
  TRY(add_leases(store, marked.references));
  for (const Digest& digest : marked.references.images)
    TRY(add_payloads(digest, "an image in use (" + digest.hex() + ")"));
  return marked;
}

Result<void> sync_names(const Store& store) {
  const UniqueFd names = TRY(open_beneath(store.dir_fd(), kNames, O_RDONLY | O_DIRECTORY));
  if (::fsync(names.get()) != 0) return Error::from_errno(store.path() + "/" + kNames, errno);
  return {};
}

class Sweep {
 public:
  Sweep(const Store& store, const Marked& marked, bool dry_run, GcReport& report)
      : store_(store), marked_(marked), dry_run_(dry_run), report_(report) {}

  Result<void> visit(const Item& item) {
    switch (item.kind) {
      case ItemKind::object:
        if (marked_.payloads.contains(object_path(*item.digest))) {
          ++report_.kept_objects;
          return {};
        }
        return remove_file(item, report_.objects);
      case ItemKind::image:
        if (marked_.references.images.contains(*item.digest)) {
          ++report_.kept_images;
          return {};
        }
        return remove_file(item, report_.images);
      case ItemKind::tree:
        if (marked_.references.images.contains(*item.digest)) return {};
        return remove_file(item, report_.trees);
      case ItemKind::blob:
        if (marked_.references.blobs.contains(*item.digest)) return {};
        return remove_file(item, report_.blobs);
      case ItemKind::lease:
        if (TRY(is_alive(store_, item))) return {};
        return remove_file(item, report_.leases);
      case ItemKind::staging:
        if (TRY(is_alive(store_, item))) return {};
        return remove_staging(item);
      case ItemKind::temporary:
        return remove_file(item, report_.staging);
      case ItemKind::name:
      case ItemKind::foreign:
        return {};
    }
    return {};
  }

 private:
  /// Counts a file's bytes; false when it is not a file, which then is none of ours.
  bool count_bytes(const std::string& path) {
    struct stat st;
    if (::fstatat(store_.dir_fd(), path.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return false;
    if (S_ISDIR(st.st_mode)) return false;
    // What has further links is in a transaction as well: its space is not freed.
    if (st.st_nlink == 1) report_.bytes += static_cast<std::uint64_t>(st.st_size);
    return true;
  }

  Result<void> remove_file(const Item& item, std::uint64_t& count) {
    if (!count_bytes(item.path)) return {};
    if (!dry_run_ && ::unlinkat(store_.dir_fd(), item.path.c_str(), 0) != 0) {
      if (errno == ENOENT) return {};
      return Error::from_errno(store_.path() + "/" + item.path, errno);
    }
    ++count;
    return {};
  }

  Result<void> remove_staging(const Item& item) {
    auto files = list_directory(store_.dir_fd(), item.path);
    if (!files) return remove_file(item, report_.staging);  // a file where a directory should be
    for (const std::string& file : *files) {
      const std::string path = item.path + "/" + file;
      if (count_bytes(path)) continue;
      if (const auto objects = list_directory(store_.dir_fd(), path))
        for (const std::string& object : *objects) count_bytes(path + "/" + object);
    }
    if (!dry_run_) TRY(remove_staging_directory(store_.dir_fd(), item.path).context(store_.path()));
    ++report_.staging;
    return {};
  }

  const Store& store_;
  const Marked& marked_;
  bool dry_run_;
  GcReport& report_;
};

/// Those of objects/ that have become empty: a pull that needs one publishes its own by one rename.
/// Nobody publishes while garbage is collected.
Result<void> remove_empty_directories(const Store& store) {
  for (const std::string& name : TRY(list_directory(store.dir_fd(), kObjects))) {
    if (name.size() != 2 || !from_hex(name)) continue;
    const std::string path = std::string(kObjects) + "/" + name;
    if (::unlinkat(store.dir_fd(), path.c_str(), AT_REMOVEDIR) != 0 && errno != ENOTEMPTY &&
        errno != EEXIST && errno != ENOENT && errno != ENOTDIR)
      return Error::from_errno(store.path() + "/" + path, errno);
  }
  return {};
}

}  // namespace

Result<GcReport> collect_garbage(Store& store, bool dry_run, const ListPayloads& list_payloads) {
  auto locked = FileLock::exclusive(store.dir_fd(), kGcLock);
  // Who may only look may count as well, though a commit under way may then look like garbage.
  if (!locked && dry_run) locked = FileLock::shared(store.dir_fd(), kGcLock);
  const FileLock lock = TRY(std::move(locked).context(store.path()));
  const Marked marked = TRY(mark(store, list_payloads));
  // A name that was taken away or replaced by somebody who was killed at once may come back after a
  // crash of the machine: what it refers to goes only once the disk has what we have seen.
  if (!dry_run) TRY(sync_names(store));
  GcReport report;
  Sweep sweep(store, marked, dry_run, report);
  TRY(take_inventory(store, [&](const Item& item) { return sweep.visit(item); }));
  if (!dry_run) TRY(remove_empty_directories(store));
  return report;
}

}  // namespace intact::store
