#include <algorithm>
#include <cerrno>
#include <memory>

#include <dirent.h>
#include <fcntl.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>

namespace intact {

Result<std::vector<std::string>> list_names(int directory) {
  UniqueFd fd = TRY(open_at(directory, ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd.get()), &::closedir);
  if (!stream) return Error::from_errno("fdopendir", errno);
  (void)fd.release();  // the stream's from here on
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return Error::from_errno("list the directory", errno);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace intact
