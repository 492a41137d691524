#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <intact/base/visible.h>
#include <intact/console/output.h>
#include <intact/json/json.h>
#include <intact/store/fsck.h>

#include "command.h"
#include "image_summary.h"
#include "store_commands.h"
#include "stored_objects.h"

namespace intact::cli {
namespace {

// A disk that is going bad damages a great deal, and the first screens tell as much as all of it.
constexpr std::size_t kMaxFiles = 100;
constexpr std::size_t kMaxBlocks = 10;
constexpr std::size_t kMaxNames = 5;

Json to_json(const store::FsckReport& report) {
  Json damaged = Json::array();
  for (const store::StoreDamage& damage : report.damaged) {
    Json item{{"path", damage.path}, {"object", damage.object}};
    item["block"] = damage.block ? Json(*damage.block) : Json();
    item["offset"] = damage.offset ? Json(*damage.offset) : Json();
    item["reason"] = damage.reason;
    item["image"] = damage.images.empty() ? std::string() : damage.images.front();
    item["images"] = damage.images;
    damaged.push_back(std::move(item));
  }
  return Json{{"ok", report.ok()},
              {"checked",
               {{"names", report.names},
                {"images", report.images},
                {"objects", report.objects},
                {"blobs", report.blobs},
                {"bytes", report.bytes}}},
              {"damaged", std::move(damaged)},
              {"omitted", report.omitted},
              {"garbage", {{"files", report.garbage}, {"bytes", report.garbage_bytes}}},
              {"foreign", report.foreign}};
}

/// "'a', 'b' and 7 other images"
std::string names_text(const std::vector<std::string>& names) {
  std::string text;
  const std::size_t shown = names.size() > kMaxNames + 1 ? kMaxNames : names.size();
  for (std::size_t i = 0; i < shown; ++i) text += (i == 0 ? "'" : ", '") + visible(names[i]) + "'";
  if (shown < names.size()) text += " and " + counted(names.size() - shown, "other image");
  return text;
}

/// A damaged file of the store, with its first damaged places.
struct DamagedFile {
  std::vector<const store::StoreDamage*> places;
};

std::vector<DamagedFile> group(const std::vector<store::StoreDamage>& damaged) {
  std::vector<DamagedFile> files;
  std::map<std::tuple<std::string_view, std::string_view>, std::size_t> known;
  for (const store::StoreDamage& damage : damaged) {
    const auto [found, added] = known.try_emplace({damage.path, damage.object}, files.size());
    if (added) files.emplace_back();
    files[found->second].places.push_back(&damage);
  }
  return files;
}

void print_damage(const DamagedFile& file) {
  const store::StoreDamage& first = *file.places.front();
  const std::string images = first.images.empty() ? "" : names_text(first.images) + " ";
  std::size_t shown = 0;
  for (const store::StoreDamage* damage : file.places) {
    if (shown++ == kMaxBlocks) break;
    std::string where = visible(damage->path);
    if (damage->block)
      where += fmt::format(": block {} (byte {})", *damage->block, damage->offset.value_or(0));
    if (!damage->object.empty()) where += " of objects/" + visible(damage->object);
    print("DAMAGED {}{}: {}\n", images, where, visible(damage->reason));
  }
  if (file.places.size() > kMaxBlocks)
    print("DAMAGED {}{}: {} (listed by --json)\n", images, visible(first.path),
          counted(file.places.size() - kMaxBlocks, "further block"));
}

void print_for_people(const store::FsckReport& report) {
  const std::vector<DamagedFile> files = group(report.damaged);
  for (std::size_t i = 0; i < std::min(files.size(), kMaxFiles); ++i) print_damage(files[i]);
  if (files.size() > kMaxFiles)
    print("DAMAGED {} (listed by --json)\n", counted(files.size() - kMaxFiles, "further file"));
  for (std::size_t i = 0; i < std::min(report.foreign.size(), kMaxFiles); ++i)
    print("Not part of the store, left alone: {}\n", visible(report.foreign[i]));
  if (report.foreign.size() > kMaxFiles)
    print("Not part of the store, left alone: {}\n",
          counted(report.foreign.size() - kMaxFiles, "further file"));
  if (report.garbage > 0)
    print("{} not needed by any image ({}): run `intact gc` to free the space\n",
          counted(report.garbage, "file"), format_size(report.garbage_bytes));
  const std::string checked = fmt::format(
      "{}, {}, {}, {} ({}) checked", counted(report.names, "name"), counted(report.images, "image"),
      counted(report.objects, "object"), counted(report.blobs, "blob"), format_size(report.bytes));
  if (report.ok()) {
    print("The store is in order: {}\n", checked);
    return;
  }
  print("The store is damaged in {}: {}\n",
        counted(report.damaged.size() + report.omitted, "place"), checked);
  std::set<std::string> images;
  for (const store::StoreDamage& damage : report.damaged)
    images.insert(damage.images.begin(), damage.images.end());
  if (!images.empty())
    print("To repair it, pull again: {}\n", names_text({images.begin(), images.end()}));
}

}  // namespace

Result<int> check_store(const StoreCommandOptions& options, const StoreOption& store_option) {
  const auto store = TRY(store_option.open());
  auto list_objects = [&](const Digest& image) -> Result<std::vector<store::ImageObject>> {
    std::vector<store::ImageObject> objects;
    for (composefs::ObjectReference& object : TRY(list_stored_objects(*store, image)))
      objects.push_back({.payload = std::move(object.payload),
                         .size = object.size,
                         .path = std::move(object.path)});
    return objects;
  };
  const store::FsckReport report = TRY(store::check(*store, {.list_objects = list_objects}));
  if (options.json) {
    print_json(to_json(report));
  } else {
    print_for_people(report);
  }
  return report.ok() ? 0 : 3;
}

}  // namespace intact::cli
