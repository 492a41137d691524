// What a verification found.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include <intact/base/error.h>
#include <intact/base/text.h>
#include <intact/base/visible.h>
#include <intact/report/results.h>

#include "text.h"

namespace intact::report {
namespace {

/// What a damaged place belongs to, for people.
std::string thing_damaged(const Damage& damage, const image::VerifyReport& report) {
  if (!damage.path.empty()) return visible(damage.path);
  for (std::size_t i = 0; i < report.layer_checks.size(); ++i)
    if (damage.object.ends_with("/" + report.layer_checks[i].digest.hex()))
      return fmt::format("(layer {})", i + 1);
  return "(image metadata)";
}

/// How far the damage reaches, after "is damaged". Below what is damaged nothing can be checked.
std::string extent_of_damage(const image::VerifyReport& report) {
  const auto bad = static_cast<std::uint64_t>(std::ranges::count_if(
      report.layer_checks, [](const image::LayerCheck& layer) { return !layer.good; }));
  const std::size_t layers = report.layer_checks.size();
  if (bad > 0)
    return fmt::format(" in {} of {}, so its files could not be checked", bad,
                       counted(layers, "layer"));
  if (layers > 0) return ": its layers do not make the image that was signed";
  const std::string places = " in " + counted(report.damaged.size() + report.omitted, "place");
  if (report.files == 0) return places + " of its metadata, so its files could not be checked";
  return places + "; the rest is intact";
}

}  // namespace

Json to_json(const image::VerifyReport& report) {
  Json damaged = Json::array();
  for (const Damage& damage : report.damaged) {
    const DamagedRange range = damage.range.value_or(DamagedRange());
    damaged.push_back({{"path", damage.path},
                       {"object", damage.object},
                       {"block", range.first},
                       {"offset", range.offset},
                       {"reason", damage.reason}});
  }
  Json json{
      {"ok", report.ok()},
      {"manifest", report.manifest.to_string()},
      {"image", report.image.digest == Digest() ? Json() : Json(report.image.digest.to_string())},
      {"seal", image::to_string(report.seal)},
      {"basis", sign::to_string(report.basis)},
      {"checked",
       {{"files", report.files},
        {"objects", report.objects},
        {"layers", report.layers},
        {"bytes", report.bytes}}},
      {"damaged", std::move(damaged)},
      {"omitted", report.omitted}};
  json["signer"] = report.signer ? Json(report.signer->key_fingerprint) : Json();
  json["signer_label"] = report.signer ? Json(report.signer->key_label) : Json();
  if (report.signer) {
    json["signers"] = report.signer->signers;
    json["attestations"] = report.signer->attestations;
  }
  json["identity"] = report.signer ? Json(report.signer->identity) : Json();
  return json;
}

std::string damage_text(const image::VerifyReport& report) {
  std::string text;
  constexpr std::uint64_t kMaxBlocks = 10;
  constexpr std::uint64_t kMaxFiles = 1000;
  std::map<std::string, std::uint64_t> blocks;
  std::uint64_t omitted = report.omitted;
  for (const Damage& damage : report.damaged) {
    const std::string thing = thing_damaged(damage, report);
    if (!blocks.contains(thing) && blocks.size() == kMaxFiles) {
      ++omitted;
      continue;
    }
    if (++blocks[thing] > kMaxBlocks) continue;
    // The digest of a layer does not tell where in it the damage is.
    text += damage.range ? fmt::format("DAMAGED {}\n", damage_line(damage, thing))
                         : fmt::format("DAMAGED {}: {}\n", thing, damage_line(damage));
  }
  for (const auto& [thing, count] : blocks)
    if (count > kMaxBlocks)
      text += fmt::format("DAMAGED {}: {} (see --json)\n", thing,
                          counted(count - kMaxBlocks, "further place"));
  if (omitted > 0)
    text += fmt::format("DAMAGED {} (see --json)\n", counted(omitted, "further place"));
  return text;
}

std::string verdict_text(const std::string& what, const image::VerifyReport& report) {
  const std::string signer = vouching_text(report.signer, report.basis, report.seal);
  const double megabytes = static_cast<double>(report.bytes) / 1e6;
  if (report.ok())
    return fmt::format("'{}' is intact: {}, {}, {:.1f} MB checked; {}\n", visible(what),
                       counted(report.files, "file"), counted(report.objects, "object"), megabytes,
                       signer);
  std::string text = fmt::format("'{}' is damaged{} ({:.1f} MB checked; {})\n", visible(what),
                                 extent_of_damage(report), megabytes, signer);
  if (!report.name.empty())
    text += fmt::format("To repair it, run `intact pull --verify {} {}`\n",
                        report.source.empty() ? "SOURCE" : visible(report.source),
                        visible(report.name));
  return text;
}

std::string failure_text(const std::string& name, const Error& error) {
  std::string_view why = error.message();
  for (const std::string& subject : {"'" + name + "': ", name + ": "})
    if (why.starts_with(subject)) why.remove_prefix(subject.size());
  return fmt::format("'{}' is not {}: {}\n", visible(name),
                     error.kind() == ErrorKind::tampered ? "intact" : "verified",
                     visible_message(std::string(why)));
}

Json failure_json(const Error& error) {
  return Json{{"ok", false},
              {"error", to_string(error.kind())},
              {"message", error.message()},
              {"status", exit_status(error)},
              {"checked", Json::object()},
              {"damaged", Json::array()}};
}

Json to_json(const image::NamedVerification& verification) {
  const auto& [name, report] = verification;
  Json json = report ? to_json(*report) : failure_json(report.error());
  if (!name.empty()) json["name"] = name;
  return json;
}

std::string to_text(const image::NamedVerification& verification) {
  const auto& [name, report] = verification;
  if (report) return damage_text(*report) + verdict_text(name, *report);
  if (!name.empty()) return failure_text(name, report.error());
  return fmt::format("DAMAGED {}\n", visible_message(report.error().message()));
}

}  // namespace intact::report
