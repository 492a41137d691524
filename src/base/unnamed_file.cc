#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <intact/base/bytes.h>
#include <intact/base/file.h>
#include <intact/base/unnamed_file.h>

namespace intact {
namespace {

constexpr int kAttempts = 100;

/// For file systems without O_TMPFILE: a new file under a random name, which is then removed.
Result<UniqueFd> removed_file(int directory) {
  for (int i = 0;; ++i) {
    std::byte bytes[8];
    if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) continue;
    const std::string name = ".intact-tmp-" + to_hex(bytes);
    auto fd = open_at(directory, name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!fd && fd.error().kind() == ErrorKind::exists && i < kAttempts) continue;
    if (fd) ::unlinkat(directory, name.c_str(), 0);
    return fd;
  }
}

}  // namespace

Result<UniqueFd> unnamed_file(int directory) {
  auto fd = open_at(directory, ".", O_RDWR | O_TMPFILE, 0600);
  if (!fd && (fd.error().sys_errno() == EOPNOTSUPP || fd.error().sys_errno() == EISDIR))
    return removed_file(directory);
  return fd;
}

Result<UniqueFd> unnamed_file_in(const std::string& directory) {
  const UniqueFd fd = TRY(open_file(directory, O_RDONLY | O_DIRECTORY));
  return unnamed_file(fd.get()).context("temporary file in " + directory);
}

Result<UniqueFd> unnamed_temporary_file() {
  const char* const given = ::secure_getenv("TMPDIR");
  if (given && *given) return unnamed_file_in(given);
  auto fd = unnamed_file_in("/var/tmp");
  return fd ? std::move(fd) : unnamed_file_in("/tmp");
}

}  // namespace intact
