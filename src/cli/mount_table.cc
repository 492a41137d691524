#include "mount_table.h"

#include <intact/base/file.h>
#include <intact/kernel/image_mount.h>
#include <intact/service/mount_record.h>

#include "kernel_mount.h"

namespace intact::cli {
namespace {

constexpr std::string_view kMountType = "fuse.intact";
constexpr std::uint64_t kMaxTable = 64 << 20;

}  // namespace

std::string_view IntactMount::status() const {
  if (by_kernel) return "kernel";
  if (service::MountServer::find(entry.device, entry.user()).is_running()) return "serving";
  if (!entry.may_be_asked()) return "unknown";
  return serve::is_dead_mount(entry.mountpoint) ? "dead" : "serving";
}

bool is_intact_mount(const serve::MountEntry& entry) {
  return entry.type == kMountType || is_kernel_mount(entry);
}

Result<std::vector<IntactMount>> list_intact_mounts() {
  const Bytes table = TRY(read_file("/proc/self/mountinfo", kMaxTable));
  std::vector<IntactMount> mounts;
  for (serve::MountEntry& entry : TRY(serve::parse_mount_table(as_text(table)))) {
    if (!is_intact_mount(entry)) continue;
    IntactMount mount{.entry = std::move(entry), .image = {}, .by_kernel = false};
    mount.by_kernel = is_kernel_mount(mount.entry);
    mount.image = mount.by_kernel ? mount.entry.source.substr(kernel::kImageMountSource.size())
                                  : mount.entry.source;
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

Result<std::vector<IntactMount>> find_mounts_of(std::string_view name) {
  std::vector<IntactMount> found;
  const std::string_view without_digest = name.substr(0, name.rfind("@sha256:"));
  for (IntactMount& mount : TRY(list_intact_mounts()))
    if (mount.image == name || mount.image == without_digest) found.push_back(std::move(mount));
  return found;
}

}  // namespace intact::cli
