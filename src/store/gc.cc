#include <cerrno>
#include <set>
#include <unordered_set>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/directory.h>
#include <intact/store/maintenance.h>

#include "inventory.h"
#include "layout.h"

namespace intact::store {
namespace {

/// Everything that must stay.
struct Marked {
  References references;
  std::set<std::string> payloads;
};

/// Why nothing is removed: a record or an image that cannot be read may refer to anything.
Error refuse(const Error& error, const std::string& what) {
  ErrorKind kind = error.kind();
  if (kind == ErrorKind::not_found || kind == ErrorKind::malformed || kind == ErrorKind::limit)
    kind = ErrorKind::tampered;
  return Error(kind,
               "nothing was removed: " + what + " cannot be verified (" + error.message() +
                   "); pull it again or remove its name, then run `intact gc` again",
               error.sys_errno());
}

Result<Marked> mark(const Store& store, const ListObjects& list_objects) {
  Marked marked;
  auto named = store.list();
  if (!named) return refuse(std::move(named).error(), "a name");
  for (const NamedImage& image : *named) marked.references.add(image);
  std::unordered_set<Digest> images;
  auto add_payloads = [&](const ImageId& image, const std::string& what) -> Result<void> {
    if (!images.insert(image.digest).second) return {};
    auto objects = list_objects(image);
    if (!objects) return refuse(std::move(objects).error(), what);
    for (ImageObject& object : *objects) marked.payloads.insert(std::move(object.payload));
    return {};
  };
  for (const NamedImage& image : *named) TRY(add_payloads(image.image, "'" + image.name + "'"));
  TRY(add_leases(store, marked.references));
  for (const auto& [digest, format] : marked.references.images)
    TRY(add_payloads({format, digest}, "an image in use (" + digest.hex() + ")"));
  return marked;
}

Result<void> sync_names(const Store& store) {
  auto names = store.folder(Folder::names);
  if (!names && names.error().kind() == ErrorKind::not_found) return {};
  if (::fsync(TRY(std::move(names))) != 0)
    return Error::from_errno(store.path() + "/" + kNames, errno);
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
  /// Counts a file's bytes; false when it is a directory, which then is not ours.
  bool count_bytes(int directory, const std::string& name) {
    struct stat st;
    if (::fstatat(directory, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return false;
    if (S_ISDIR(st.st_mode)) return false;
    // A file with further links is in a transaction as well: its space is not freed.
    if (st.st_nlink == 1) report_.bytes += static_cast<std::uint64_t>(st.st_size);
    return true;
  }

  Result<void> remove_file(const Item& item, std::uint64_t& count) {
    if (!count_bytes(item.directory, item.name)) return {};
    if (!dry_run_ && ::unlinkat(item.directory, item.name.c_str(), 0) != 0) {
      if (errno == ENOENT) return {};
      return Error::from_errno(store_.path() + "/" + item.path, errno);
    }
    ++count;
    return {};
  }

  Result<void> remove_staging(const Item& item) {
    const auto staging = open_beneath(item.directory, item.name, O_RDONLY | O_DIRECTORY);
    if (!staging) return remove_file(item, report_.staging);  // not a directory
    for (const std::string& file : TRY(list_names(staging->get()).context(item.path))) {
      if (count_bytes(staging->get(), file)) continue;
      const auto objects = open_beneath(staging->get(), file, O_RDONLY | O_DIRECTORY);
      if (!objects) continue;
      for (const std::string& object : TRY(list_names(objects->get()).context(item.path)))
        count_bytes(objects->get(), object);
    }
    if (!dry_run_)
      TRY(remove_staging_directory(item.directory, item.name)
              .context(store_.path() + "/" + kStaging));
    ++report_.staging;
    return {};
  }

  const Store& store_;
  const Marked& marked_;
  bool dry_run_;
  GcReport& report_;
};

/// Removes the directories of objects/ that have become empty, since a pull publishes a directory
/// that the store lacks by one rename. Nobody publishes while garbage is collected.
Result<void> remove_empty_directories(const Store& store) {
  auto opened = store.folder(Folder::objects);
  if (!opened && opened.error().kind() == ErrorKind::not_found) return {};
  const int objects = TRY(std::move(opened));
  for (const std::string& name : TRY(list_names(objects).context(store.path()))) {
    if (name.size() != 2 || !from_hex(name)) continue;
    if (::unlinkat(objects, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOTEMPTY &&
        errno != EEXIST && errno != ENOENT && errno != ENOTDIR)
      return Error::from_errno(store.path() + "/" + kObjects + "/" + name, errno);
  }
  return {};
}

}  // namespace

Result<GcReport> collect_garbage(Store& store, bool dry_run, const ListObjects& list_objects) {
  auto locked = FileLock::exclusive(store.dir_fd(), kGcLock);
  // Without write access a dry run still counts, though a commit under way may look like garbage.
  if (!locked && dry_run) locked = FileLock::shared(store.dir_fd(), kGcLock);
  const FileLock lock = TRY(std::move(locked).context(store.path()));
  const Marked marked = TRY(mark(store, list_objects));
  // After a crash of the machine, a name that a killed process has just removed or replaced may
  // come back. Its content is removed only once what we have seen is on the disk.
  if (!dry_run) TRY(sync_names(store));
  GcReport report;
  Sweep sweep(store, marked, dry_run, report);
  TRY(take_inventory(store, [&](const Item& item) { return sweep.visit(item); }));
  if (!dry_run) TRY(remove_empty_directories(store));
  return report;
}

}  // namespace intact::store
