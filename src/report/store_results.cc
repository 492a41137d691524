// A store as a whole: what a check found, and what a collection of garbage removed.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include <intact/base/text.h>
#include <intact/base/visible.h>
#include <intact/report/results.h>

#include "text.h"

namespace intact::report {
namespace {

// A disk that is going bad damages a great deal, and the first screens tell as much as all of it.
constexpr std::size_t kMaxFiles = 100;
constexpr std::string_view kObjects = "objects/";
constexpr std::size_t kMaxBlocks = 10;

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

std::string damage_text(const DamagedFile& file) {
  std::string text;
  const store::StoreDamage& first = *file.places.front();
  const std::string images = first.images.empty() ? "" : names_text(first.images) + " ";
  std::size_t shown = 0;
  for (const store::StoreDamage* damage : file.places) {
    if (shown++ == kMaxBlocks) break;
    text += fmt::format("DAMAGED {}{}\n", images, damage_line(*damage));
  }
  if (file.places.size() > kMaxBlocks)
    text += fmt::format("DAMAGED {}{}: {} (listed by --json)\n", images,
                        visible(first.path.empty() ? first.object : first.path),
                        counted(file.places.size() - kMaxBlocks, "further block"));
  return text;
}

}  // namespace

Json to_json(const store::FsckReport& report) {
  Json damaged = Json::array();
  for (const store::StoreDamage& damage : report.damaged) {
    // A file of an image has both, with the object by its digest; other files have a path alone.
    const bool has_path = !damage.path.empty();
    Json item{{"path", has_path ? damage.path : damage.object},
              {"object", has_path ? damage.object.substr(kObjects.size()) : ""}};
    item["block"] = damage.range ? Json(damage.range->first) : Json();
    item["offset"] = damage.range ? Json(damage.range->offset) : Json();
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

std::string to_text(const store::FsckReport& report) {
  std::string text;
  const std::vector<DamagedFile> files = group(report.damaged);
  for (std::size_t i = 0; i < std::min(files.size(), kMaxFiles); ++i) text += damage_text(files[i]);
  if (files.size() > kMaxFiles)
    text += fmt::format("DAMAGED {} (listed by --json)\n",
                        counted(files.size() - kMaxFiles, "further file"));
  for (std::size_t i = 0; i < std::min(report.foreign.size(), kMaxFiles); ++i)
    text += fmt::format("Not part of the store, left alone: {}\n", visible(report.foreign[i]));
  if (report.foreign.size() > kMaxFiles)
    text += fmt::format("Not part of the store, left alone: {}\n",
                        counted(report.foreign.size() - kMaxFiles, "further file"));
  if (report.garbage > 0)
    text += fmt::format("{} not needed by any image ({}): run `intact gc` to free the space\n",
                        counted(report.garbage, "file"), format_size(report.garbage_bytes));
  const std::string checked = fmt::format(
      "{}, {}, {}, {} ({}) checked", counted(report.names, "name"), counted(report.images, "image"),
      counted(report.objects, "object"), counted(report.blobs, "blob"), format_size(report.bytes));
  if (report.ok()) {
    return text + fmt::format("The store is in order: {}\n", checked);
  }
  text += fmt::format("The store is damaged in {}: {}\n",
                      counted(report.damaged.size() + report.omitted, "place"), checked);
  std::set<std::string> images;
  for (const store::StoreDamage& damage : report.damaged)
    images.insert(damage.images.begin(), damage.images.end());
  if (!images.empty())
    text += fmt::format("To repair it with `intact pull --verify SOURCE NAME`, pull again: {}\n",
                        names_text({images.begin(), images.end()}));
  return text;
}

Json to_json(const store::GcReport& report, bool dry_run) {
  return Json{{"dry_run", dry_run},
              {"removed",
               {{"objects", report.objects},
                {"images", report.images},
                {"trees", report.trees},
                {"blobs", report.blobs},
                {"staging", report.staging},
                {"leases", report.leases}}},
              {"bytes", report.bytes},
              {"kept", {{"objects", report.kept_objects}, {"images", report.kept_images}}}};
}

std::string to_text(const store::GcReport& report, bool dry_run) {
  if (report.removed() == 0)
    return fmt::format("Nothing to remove: {} and {} are in use\n",
                       counted(report.kept_images, "image"),
                       counted(report.kept_objects, "object"));
  std::string parts;
  const auto part = [&parts](std::uint64_t count, std::string_view thing) {
    if (count > 0) parts += (parts.empty() ? "" : ", ") + counted(count, thing);
  };
  part(report.objects, "object");
  part(report.images, "image");
  part(report.trees, "hash tree");
  part(report.blobs, "blob");
  part(report.staging, "interrupted operation");
  part(report.leases, "ended mount");
  return fmt::format("{} {}: {}\n", dry_run ? "Would free" : "Freed", format_size(report.bytes),
                     parts);
}

}  // namespace intact::report
