// What copy, login and logout did.
#include <fmt/format.h>

#include <intact/base/text.h>
#include <intact/base/visible.h>
#include <intact/report/results.h>

namespace intact::report {

Json to_json(const image::CopyReport& report) {
  return Json{{"destination", to_string(report.destination)},
              {"manifest", report.manifest.to_string()},
              {"blobs", report.blobs},
              {"present", report.present},
              {"bytes", report.bytes},
              {"attached", report.attached}};
}

std::string to_text(const image::CopyReport& report) {
  std::string text =
      fmt::format("Copied to {}\n  manifest  {}\n", visible(to_string(report.destination)),
                  report.manifest.to_string());
  text += fmt::format("  sent      {} bytes of {} ({} already there)\n", report.bytes,
                      counted(report.blobs, "blob"), report.present);
  if (report.attached != 0)
    text +=
        fmt::format("  with      {}\n", counted(report.attached, "signature or referrer manifest"));
  return text;
}

Json to_json(const registry::Login& login) {
  return Json{{"registry", login.key}, {"username", login.user}, {"file", login.file}};
}

std::string to_text(const registry::Login& login) {
  return fmt::format("Logged in to {} as {}\n", login.key, visible(login.user));
}

Json to_json(const registry::Logout& logout) {
  return Json{{"removed", logout.removed}, {"file", logout.file}};
}

std::string to_text(const registry::Logout& logout) {
  std::string text;
  for (const std::string& key : logout.removed)
    text += fmt::format("Removed the credentials of {}\n", visible(key));
  return text;
}

}  // namespace intact::report
