// What seal, pull and export did.
#include <fmt/format.h>

#include <intact/base/text.h>
#include <intact/base/visible.h>
#include <intact/report/results.h>

#include "text.h"

namespace intact::report {

Json to_json(const image::SealReport& report, const std::string& identity) {
  return Json{{"destination", to_string(report.destination)},
              {"manifest", report.manifest.to_string()},
              {"image", report.image.digest.to_string()},
              {"signature", report.signature.to_string()},
              {"identity", identity.empty() ? Json() : Json(identity)},
              {"files", report.files},
              {"layers", report.layers},
              {"unchanged", report.unchanged}};
}

std::string to_text(const image::SealReport& report, const std::string& identity) {
  return fmt::format(
      "{} {}\n  manifest  {}\n  image     {}\n  {} in {}, signed{}\n",
      report.unchanged ? "Already sealed:" : "Sealed", visible(to_string(report.destination)),
      report.manifest.to_string(), report.image.digest.to_string(), counted(report.files, "file"),
      counted(report.layers, "layer"), identity.empty() ? "" : " as " + visible(identity));
}

Json to_json(const image::PullReport& report) {
  Json json{{"name", report.image.name},
            {"manifest", report.image.manifest.to_string()},
            {"image", report.image.image.digest.to_string()},
            {"objects", report.objects},
            {"bytes", report.object_bytes},
            {"reused_layers", report.reused_layers},
            {"unchanged", report.unchanged},
            {"seal", image::to_string(report.seal)},
            {"basis", sign::to_string(report.basis)}};
  json["signer"] = report.signer ? Json(report.signer->key_fingerprint) : Json();
  json["identity"] = report.signer ? Json(report.signer->identity) : Json();
  return json;
}

std::string to_text(const image::PullReport& report, const std::string& source) {
  std::string text =
      fmt::format("Pulled {} as '{}'\n  manifest  {}\n  image     {}\n", visible(source),
                  visible(report.image.name), report.image.manifest.to_string(),
                  report.image.image.digest.to_string());
  text += "  " + basis_text(report.signer, report.basis);
  if (report.signer && !report.signer->identity.empty())
    text += " as " + visible(report.signer->identity);
  text += report.seal == image::SealKind::local ? "\n  sealed by this machine\n" : "\n";
  text += fmt::format("  {}, {:.1f} MB\n", counted(report.objects, "object"),
                      static_cast<double>(report.object_bytes) / 1e6);
  if (report.reused_layers > 0)
    text += fmt::format("  {} of {} came from the store and not from the source\n",
                        report.reused_layers, counted(report.layers, "layer"));
  if (report.unchanged)
    text +=
        "  The store already had it: sizes were checked, contents were not read (--verify does)\n";
  return text;
}

Json to_json(const image::ExportReport& report, const std::string& destination) {
  return Json{{"destination", destination},
              {"files", report.files},
              {"bytes", report.bytes},
              {"left_out",
               {{"devices", report.devices},
                {"setuid", report.setuid},
                {"capabilities", report.capabilities},
                {"xattrs", report.xattrs}}}};
}

std::string to_text(const image::ExportReport& report, const std::string& name,
                    const std::string& destination) {
  return fmt::format("Exported '{}' to {} ({:.1f} MB)\n", visible(name), visible(destination),
                     static_cast<double>(report.bytes) / 1e6);
}

}  // namespace intact::report
