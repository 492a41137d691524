#include <cerrno>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>

#include <intact/base/block_claim.h>
#include <intact/base/file.h>

namespace intact {

Error block_device_in_use() {
  return {ErrorKind::busy, "in use (mounted, or claimed by another device)", EBUSY};
}

Result<UniqueFd> claim_for_writing(UniqueFd fd) {
  struct stat st;
  if (::fstat(fd.get(), &st) != 0) return Error::from_errno("fstat", errno);
  if (!S_ISBLK(st.st_mode)) return fd;
  // By the descriptor: the path may lead to another device by now. O_EXCL without O_CREAT is for
  // block devices only.
  const std::string itself = "/proc/self/fd/" + std::to_string(fd.get());
  UniqueFd claimed(::open(itself.c_str(), O_RDWR | O_EXCL | O_NOCTTY | O_CLOEXEC));
  if (claimed) return claimed;
  if (errno == EBUSY) return block_device_in_use();
  return Error::from_errno("cannot open it for writing", errno);
}

Result<UniqueFd> open_unclaimed(const std::string& path) {
  auto fd = open_file(path, O_RDWR | O_NONBLOCK | O_NOCTTY);
  // A kernel may refuse to open mounted devices for writing at all (BLK_DEV_WRITE_MOUNTED).
  if (!fd && fd.error().sys_errno() == EBUSY) return block_device_in_use().with_context(path);
  return fd;
}

}  // namespace intact
