#include <climits>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/serve/mounts.h>

namespace intact::serve {

Result<std::optional<MountEntry>> find_mount(const std::string& path) {
  const UniqueFd fd = TRY(open_file(path, O_PATH));
  const int id = TRY(mount_number(fd.get()));
  std::string real_path(PATH_MAX, '\0');
  const ssize_t length = ::readlink(fmt::format("/proc/self/fd/{}", fd.get()).c_str(),
                                    real_path.data(), real_path.size());
  if (length < 0) return Error::from_errno("cannot read /proc/self/fd", errno);
  real_path.resize(static_cast<std::size_t>(length));

  for (MountEntry& entry : TRY(mount_table()))
    if (entry.id == id && entry.mountpoint == real_path) return std::optional(std::move(entry));
  return std::optional<MountEntry>();
}

}  // namespace intact::serve
