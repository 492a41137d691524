#include "kernel_devices.h"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace intact::cli {

Result<std::string> KernelDevices::number(const stack::File& file) {
  using Known = std::pair<stack::File, std::string>;
  const auto known = std::ranges::find(numbers_, file, &Known::first);
  if (known != numbers_.end()) return known->second;
  struct stat st;
  if (::fstat(file->fd(), &st) != 0) return Error::from_errno("fstat", errno);
  if (!S_ISBLK(st.st_mode)) {
    loops_.push_back(TRY(serve::LoopDevice::attach(file->fd(), file->writable())));
    if (::stat(loops_.back().path().c_str(), &st) != 0)
      return Error::from_errno(loops_.back().path(), errno);
  }
  numbers_.emplace_back(file, fmt::format("{}:{}", major(st.st_rdev), minor(st.st_rdev)));
  return numbers_.back().second;
}

}  // namespace intact::cli
