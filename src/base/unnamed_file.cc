#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/output_file.h>

namespace intact {
namespace {

constexpr int kAttempts = 100;

/// For file systems without O_TMPFILE: a new file under a random name, which is then removed.
Result<UniqueFd> removed_file(int directory) {
  for (int i = 0;; ++i) {
    const std::string name = random_name(".intact-tmp-");
    auto fd = open_at(directory, name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!fd && fd.error().kind() == ErrorKind::exists && i < kAttempts) continue;
    if (fd) ::unlinkat(directory, name.c_str(), 0);
    return fd;
  }
}

}  // namespace

Result<UniqueFd> unnamed_file(int directory) {
  auto fd = open_at(directory, ".", O_RDWR | O_TMPFILE, 0600);
  if (fd) return fd;
  switch (fd.error().sys_errno()) {
    case EOPNOTSUPP:
    case EISDIR:
    case EINVAL:
    case ENOSYS:
      return removed_file(directory);
    default:
      return fd;
  }
}

Result<UniqueFd> unnamed_file_in(const std::string& directory) {
  const auto made = [&]() -> Result<UniqueFd> {
    const UniqueFd fd = TRY(open_at(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY));
    return unnamed_file(fd.get()).context(directory);
  };
  auto file = made();
  if (file) return file;
  // "Not found" would be understood as what the caller looks for.
  return Error(ErrorKind::io, "temporary file: " + file.error().message(),
               file.error().sys_errno());
}

Result<UniqueFd> unnamed_temporary_file() {
  const char* const given = ::secure_getenv("TMPDIR");
  if (given && *given) return unnamed_file_in(given);
  auto fd = unnamed_file_in("/var/tmp");
  return fd ? std::move(fd) : unnamed_file_in("/tmp");
}

}  // namespace intact
