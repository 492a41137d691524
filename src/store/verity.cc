#include "verity.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/fsverity.h>
#include <sys/ioctl.h>

#include <intact/base/unique_fd.h>

namespace intact::store {

bool enable_verity(int dir_fd, const char* name) {
  const UniqueFd fd(::openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return true;
  fsverity_enable_arg argument{};
  argument.version = 1;
  argument.hash_algorithm = FS_VERITY_HASH_ALG_SHA256;
  argument.block_size = 4096;
  if (::ioctl(fd.get(), FS_IOC_ENABLE_VERITY, &argument) == 0) return true;
  return errno != ENOTTY && errno != EOPNOTSUPP && errno != ENOSYS;
}

}  // namespace intact::store
