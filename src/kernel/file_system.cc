#include "file_system.h"

#include <array>
#include <cerrno>

#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

namespace intact::kernel {
namespace {

/// Whether the call failed for what this system is, not for what happened.
bool is_unsupported(int reason) {
  switch (reason) {
    case EPERM:
    case EACCES:
    case EINVAL:
    case ENODEV:
    case ENOSYS:
    case ENOTBLK:
    case EOPNOTSUPP:
    case ENOPKG:
      return true;
    default:
      return false;
  }
}

}  // namespace

Error mount_error(std::string message, int reason) {
  Error error = Error::from_errno(std::move(message), reason);
  if (!is_unsupported(reason)) return error;
  return {ErrorKind::unsupported, error.message(), reason};
}

Result<FileSystem> FileSystem::open(const char* type) {
  UniqueFd fd(::fsopen(type, FSOPEN_CLOEXEC));
  if (fd) return FileSystem(type, std::move(fd));
  if (errno == ENODEV)
    return Error(ErrorKind::unsupported, fmt::format("the kernel has no {}", type), errno);
  return mount_error(fmt::format("the kernel does not let us mount {}", type), errno);
}

Result<void> FileSystem::set(const char* option, const std::string& value) {
  if (::fsconfig(fd_.get(), FSCONFIG_SET_STRING, option, value.c_str(), 0) == 0) return {};
  return failure(fmt::format("{}={}", option, value), errno);
}

Result<void> FileSystem::set_flag(const char* option) {
  if (::fsconfig(fd_.get(), FSCONFIG_SET_FLAG, option, nullptr, 0) == 0) return {};
  return failure(option, errno);
}

Result<UniqueFd> FileSystem::mount(unsigned attributes) {
  if (::fsconfig(fd_.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return failure("mount", errno);
  UniqueFd mount(::fsmount(fd_.get(), FSMOUNT_CLOEXEC, attributes));
  if (!mount) return failure("mount", errno);
  return mount;
}

Error FileSystem::failure(std::string_view what, int reason) const {
  std::string message = fmt::format("{}: {}", type_, what);
  // One message a read, each "e TEXT", "w TEXT" or "i TEXT".
  std::array<char, 1024> text;
  for (;;) {
    const ssize_t count = ::read(fd_.get(), text.data(), text.size());
    if (count <= 2) break;
    std::string_view line(text.data(), static_cast<std::size_t>(count));
    line.remove_prefix(2);
    while (line.ends_with('\n')) line.remove_suffix(1);
    message += fmt::format(": {}", line);
  }
  return mount_error(std::move(message), reason);
}

}  // namespace intact::kernel
