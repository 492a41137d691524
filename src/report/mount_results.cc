// Mounted images.
#include <fmt/format.h>
#include <unistd.h>

#include <intact/base/visible.h>
#include <intact/report/results.h>

namespace intact::report {
namespace {

std::string_view method_of(bool by_kernel) {
  return by_kernel ? "kernel" : "fuse";
}

/// Another user's server may claim any name and status.
std::string owner_of(const rootfs::Mount& mount) {
  const auto user = mount.user();
  return user && *user != ::geteuid() ? fmt::format(" (user {})", *user) : "";
}

}  // namespace

Json to_json(const std::vector<rootfs::Mount>& mounts) {
  Json json = Json::array();
  for (const rootfs::Mount& mount : mounts)
    json.push_back({{"name", mount.image},
                    {"directory", mount.directory()},
                    {"method", method_of(mount.by_kernel)},
                    {"status", mount.status()},
                    {"user", mount.user() ? Json(*mount.user()) : Json()}});
  return json;
}

std::string to_table(const std::vector<rootfs::Mount>& mounts) {
  std::string text = "NAME\tDIRECTORY\tSTATUS\n";
  for (const rootfs::Mount& mount : mounts)
    text += fmt::format("{}\t{}\t{}{}\n", visible(mount.image), visible(mount.directory()),
                        mount.status(), owner_of(mount));
  return text;
}

Json to_json(const NewMount& mount) {
  return {{"name", mount.name},
          {"directory", mount.directory},
          {"method", method_of(mount.log.empty())},
          {"log", mount.log.empty() ? Json() : Json(mount.log)}};
}

std::string to_text(const NewMount& mount) {
  return fmt::format("Mounted '{}' on {}{}\n", visible(mount.name), visible(mount.directory),
                     mount.log.empty() ? " by the kernel" : "; log: " + visible(mount.log));
}

}  // namespace intact::report
