#include "file_xattrs.h"

#include <cerrno>
#include <functional>
#include <string>

#include <fmt/format.h>
#include <sys/xattr.h>

namespace intact::composefs {
namespace {

/// Calls `get` with larger and larger buffers until what it returns fits.
Result<std::string> read_growing(const std::string& what,
                                 const std::function<ssize_t(char*, std::size_t)>& get) {
  std::string buffer(256, '\0');
  for (;;) {
    const ssize_t count = get(buffer.data(), buffer.size());
    if (count >= 0) {
      buffer.resize(static_cast<std::size_t>(count));
      return buffer;
    }
    if (errno != ERANGE) return Error::from_errno(what, errno);
    const ssize_t wanted = get(nullptr, 0);
    if (wanted < 0) return Error::from_errno(what, errno);
    buffer.resize(std::max(static_cast<std::size_t>(wanted), buffer.size() + 1));
  }
}

}  // namespace

Result<std::vector<tree::Xattr>> file_xattrs(int fd, std::string_view prefix) {
  // The calls that take descriptors refuse those of O_PATH, the only kind that symlinks have.
  std::string path;
  const auto list = [&](char* out, std::size_t size) {
    return path.empty() ? ::flistxattr(fd, out, size) : ::listxattr(path.c_str(), out, size);
  };
  constexpr const char* kListing = "list of extended attributes";
  std::vector<tree::Xattr> found;
  auto names = read_growing(kListing, list);
  if (!names && names.error().sys_errno() == EBADF) {
    path = fmt::format("/proc/self/fd/{}", fd);
    names = read_growing(kListing, list);
  }
  if (!names && names.error().sys_errno() == EOPNOTSUPP) return found;
  if (!names) return std::move(names).error();
  std::string_view rest = *names;
  while (!rest.empty()) {
    const std::string name(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    if (!name.starts_with(prefix)) continue;
    std::string value =
        TRY(read_growing("extended attribute " + name, [&](char* out, std::size_t size) {
          return path.empty() ? ::fgetxattr(fd, name.c_str(), out, size)
                              : ::getxattr(path.c_str(), name.c_str(), out, size);
        }));
    found.push_back({name, std::move(value)});
  }
  return found;
}

}  // namespace intact::composefs
