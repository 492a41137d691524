#include <optional>
#include <set>
#include <string>

#include <dirent.h>
#include <fcntl.h>

#include <intact/base/inherited.h>
#include <intact/base/text.h>

namespace intact {
namespace {

constexpr int kMaxAsked = 1024;  // where there is no /proc

std::optional<std::set<int>> inherited;

}  // namespace

void remember_inherited_descriptors() {
  inherited.emplace();
  DIR* const open = ::opendir("/proc/self/fd");
  if (open == nullptr) {
    for (int fd = 0; fd < kMaxAsked; ++fd)
      if (::fcntl(fd, F_GETFD) >= 0) inherited->insert(fd);
    return;
  }
  const int own = ::dirfd(open);
  while (const dirent* entry = ::readdir(open)) {
    const auto fd = whole_number<int>(entry->d_name);
    if (fd && *fd != own) inherited->insert(*fd);
  }
  ::closedir(open);
}

Result<void> check_inherited(int fd) {
  if (!inherited || inherited->contains(fd)) return {};
  return Error(ErrorKind::invalid_argument,
               "this descriptor was not open when the program was started; open it in the shell, "
               "as in `" +
                   std::to_string(fd > 2 ? fd : 3) + "< FILE`");
}

}  // namespace intact
