#include <set>

#include <sys/stat.h>

#include <intact/base/file.h>
#include <intact/store/maintenance.h>

#include "content_check.h"
#include "inventory.h"
#include "layout.h"

namespace intact::store {
namespace {

/// Adds the object directories that images were pulled with.
Result<void> attach_object_dirs(Store& store, const NamedImage& image, DamageList& damage) {
  for (const std::string& dir : image.object_dirs) {
    auto added = store.add_object_dir(dir, DirectoryOrigin::record);
    if (added) continue;
    if (added.error().concerns_caller()) return added;
    damage.add({{.object = dir, .reason = added.error().message()}, {image.name}});
  }
  return {};
}

/// What nothing refers to: garbage, and files that are not part of the store.
/// `payloads` is null when it is not known what all images refer to.
Result<void> count_leftovers(const Store& store, const References& references,
                             const std::set<std::string>* payloads, FsckReport& report) {
  return take_inventory(store, [&](const Item& item) -> Result<void> {
    bool garbage = false;
    switch (item.kind) {
      case ItemKind::object:
        garbage = payloads && !payloads->contains(object_path(*item.digest));
        break;
      case ItemKind::image:
      case ItemKind::tree:
        garbage = !references.images.contains(*item.digest);
        break;
      case ItemKind::blob:
        garbage = !references.blobs.contains(*item.digest);
        break;
      case ItemKind::lease:
      case ItemKind::staging:
        garbage = !TRY(is_alive(store, item));
        break;
      case ItemKind::temporary:
        garbage = true;
        break;
      case ItemKind::name:
        break;
      case ItemKind::foreign:
        report.foreign.push_back(item.path);
        break;
    }
    if (!garbage) return {};
    ++report.garbage;
    struct stat st;
    if (::fstatat(item.directory, item.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(st.st_mode))
      report.garbage_bytes += static_cast<std::uint64_t>(st.st_size);
    return {};
  });
}

}  // namespace

Result<FsckReport> check(Store& store, const FsckOptions& options) {
  // Nothing may be collected while it is being checked; pulls may go on.
  const FileLock no_gc = TRY(FileLock::shared(store.dir_fd(), kGcLock).context(store.path()));
  FsckReport report;
  DamageList damage(options.max_damaged);
  References references;
  std::vector<Error> bad_records;
  const std::vector<NamedImage> named = TRY(store.list(&bad_records));
  report.names = named.size() + bad_records.size();
  for (Error& error : bad_records) {
    if (error.concerns_caller()) return std::move(error);
    // The message begins with the path, as Store::list gives it.
    const std::string& text = error.message();
    damage.add({{.object = text.substr(0, text.find(": ")), .reason = text}, {}});
  }
  for (const NamedImage& image : named) {
    references.add(image);
    TRY(attach_object_dirs(store, image, damage));
  }

  ContentCheck content(store, named, options.threads, damage);
  std::set<std::string> payloads;
  for (const NamedImage& image : named) {
    const std::vector<ImageObject> objects = TRY(content.check_image(image, options.list_objects));
    for (const ImageObject& object : objects) payloads.insert(object.payload);
  }
  TRY(content.finish(report));

  // What only leases keep is not garbage, and not checked either: it has no name.
  bool complete = content.all_images_listed() && bad_records.empty();
  References kept = references;
  TRY(add_leases(store, kept));
  for (const auto& [digest, format] : kept.images) {
    if (references.images.contains(digest)) continue;
    const auto objects = options.list_objects({format, digest});
    if (!objects) {
      complete = false;
      continue;
    }
    for (const ImageObject& object : *objects) payloads.insert(object.payload);
  }
  TRY(count_leftovers(store, kept, complete ? &payloads : nullptr, report));
  damage.take(report);
  return report;
}

}  // namespace intact::store
