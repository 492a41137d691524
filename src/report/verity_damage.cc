// What checks and repairs of dm-verity volumes found.
#include <algorithm>

#include <fmt/format.h>

#include <intact/base/text.h>
#include <intact/base/visible.h>
#include <intact/report/verity.h>

namespace intact::report {
namespace {

/// `files`: for each damage the files that it concerns; null if nobody has looked.
Json list_json(const std::vector<Damage>& list, const std::string& data, const std::string& hash,
               const erofs::DamagedFiles* files) {
  Json damaged = Json::array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const bool is_data = verity::area_of(list[i]) == verity::Area::data;
    damaged.push_back({{"object", is_data ? data : hash},
                       {"area", list[i].object},
                       {"block", list[i].range->first},
                       {"blocks", list[i].range->count},
                       {"offset", list[i].range->offset},
                       {"reason", list[i].reason},
                       {"correctable", list[i].correctable}});
    if (files != nullptr) damaged.back()["files"] = files->in_range[i];
  }
  return damaged;
}

/// "  in PATH" and the like, a line each.
std::string paths_text(std::string_view relation, const std::vector<std::string>& paths) {
  constexpr std::size_t kMax = 10;  // a block of metadata may affect many files
  std::string text;
  for (std::size_t i = 0; i < std::min(paths.size(), kMax); ++i)
    text += fmt::format("{} {}\n", relation, visible(paths[i]));
  if (paths.size() > kMax) text += fmt::format("{} {} more\n", relation, paths.size() - kMax);
  return text;
}

/// A line for each damage, which `note` ends, and the files.
std::string list_text(std::string_view word, const std::vector<Damage>& list,
                      const erofs::DamagedFiles& files, std::string_view (*note)(const Damage&)) {
  std::string text;
  for (std::size_t i = 0; i < list.size(); ++i) {
    text += fmt::format("{} {}: {}{}\n", word, verity::place_of(list[i]), list[i].reason,
                        note(list[i]));
    text += paths_text("  in", files.in_range[i]);
  }
  return text + paths_text("not checked (unsupported layout):", files.not_looked_into);
}

std::string_view no_note(const Damage&) {
  return "";
}
std::string_view note_of_fec(const Damage& damage) {
  return damage.correctable ? "; FEC can correct it" : "; FEC cannot correct it";
}

}  // namespace

Json to_json(const VerityCheck& check) {
  const verity::Geometry& geometry = check.geometry;
  return Json{{"ok", check.damaged.empty()},
              {"checked",
               {{"data_blocks", geometry.data_blocks()},
                {"hash_blocks", geometry.hash_blocks()},
                {"bytes", geometry.data_size() + geometry.hash_size()}}},
              {"damaged", list_json(check.damaged, check.data, check.hash, &check.files)},
              {"not_looked_into", check.files.not_looked_into}};
}

std::string to_text(const VerityCheck& check) {
  std::string text =
      list_text("DAMAGED", check.damaged, check.files, check.has_fec ? note_of_fec : no_note);
  if (check.damaged.empty())
    return text + fmt::format("{} is intact: {} data blocks and {} hash blocks checked\n",
                              visible(check.data), check.geometry.data_blocks(),
                              check.geometry.hash_blocks());
  return text + fmt::format("{} is damaged in {}{}\n", visible(check.data),
                            counted(check.damaged.size(), "place"),
                            std::ranges::all_of(check.damaged, &Damage::correctable)
                                ? "; `intact verity repair` can correct all of it"
                                : "");
}

Json to_json(const VerityRepair& repair) {
  return Json{{"ok", repair.done.lost.empty()},
              {"repaired", list_json(repair.done.repaired, repair.data, repair.hash, nullptr)},
              {"damaged", list_json(repair.done.lost, repair.data, repair.hash, &repair.files)},
              {"not_looked_into", repair.files.not_looked_into}};
}

std::string to_text(const VerityRepair& repair) {
  std::string text;
  for (const Damage& damage : repair.done.repaired)
    text += fmt::format("repaired {}\n", verity::place_of(damage));
  text += list_text("LOST", repair.done.lost, repair.files, no_note);
  text += visible(repair.data);
  if (!repair.done.lost.empty())
    return text + " is still damaged: FEC cannot correct what is lost\n";
  return text +
         (repair.done.repaired.empty() ? " is intact: nothing to repair\n" : " is repaired\n");
}

}  // namespace intact::report
