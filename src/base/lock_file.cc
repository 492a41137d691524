#include <cerrno>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/lock_file.h>

namespace intact {
namespace {

constexpr std::chrono::milliseconds kStep(10);

}  // namespace

Result<LockFile> LockFile::take(const std::string& path, std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  for (;;) {
    UniqueFd fd = TRY(open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
      // Who held the lock before may have removed it, and others made and locked another.
      if (is_file_at(path, fd.get())) return LockFile(path, std::move(fd));
      continue;
    }
    if (errno != EWOULDBLOCK && errno != EINTR) return Error::from_errno("lock " + path, errno);
    if (std::chrono::steady_clock::now() >= end)
      return Error(ErrorKind::busy, path + " is locked by another process");
    std::this_thread::sleep_for(kStep);
  }
}

LockFile::~LockFile() {
  // Removed while it is locked, so that nobody can have it locked in the meantime.
  if (fd_) ::unlink(path_.c_str());
}

}  // namespace intact
