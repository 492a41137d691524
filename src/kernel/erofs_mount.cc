#include "erofs_mount.h"

#include <cerrno>
#include <optional>

#include <fmt/format.h>

#include "file_system.h"
#include "loop_device.h"

namespace intact::kernel {

Result<UniqueFd> mount_erofs(int image, unsigned attributes, bool file_backed) {
  // The kernel opens the file of our descriptor, not a name that others could change meanwhile.
  std::string source = fmt::format("/proc/self/fd/{}", image);
  std::optional<LoopDevice> loop;
  for (;;) {
    if (!file_backed) {
      loop = TRY(LoopDevice::attach(image));
      source = loop->path();
    }
    auto erofs = TRY(FileSystem::open("erofs"));
    TRY(erofs.set("source", source));
    TRY(erofs.set_flag("ro"));
    auto mount = erofs.mount(attributes);
    if (mount || !file_backed || mount.error().sys_errno() != ENOTBLK) return mount;
    file_backed = false;
  }
}

}  // namespace intact::kernel
