#include "runtime_files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/base/mount.h>

namespace intact::service {

namespace {

/// Where programs keep the state of a user, below the home directory; empty for root, who has /run.
std::string state_dir(uid_t user) {
  if (user == 0) return {};
  if (user == ::geteuid()) {
    if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/')
      return state;
    if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
      return std::string(home) + "/.local/state";
  }
  std::array<char, 4096> buffer;
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr ||
      *found->pw_dir != '/')
    return {};
  return std::string(found->pw_dir) + "/.local/state";
}

/// The places of a user, best first.
std::vector<std::string> runtime_dirs(uid_t user) {
  std::vector<std::string> dirs;
  if (user == 0) dirs.emplace_back("/run/intact");
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime == '/' && user == ::geteuid())
    dirs.push_back(fmt::format("{}/intact", runtime));
  if (user != ::geteuid()) dirs.push_back(fmt::format("/run/user/{}/intact", user));
  dirs.push_back(fmt::format("/tmp/intact-{}", user));
  // Anyone can make that name unusable before the user does.
  if (const std::string state = state_dir(user); !state.empty()) dirs.push_back(state + "/intact");
  return dirs;
}

/// Why a directory cannot be used, as far as its owner tells.
std::string with_owner(const std::string& dir, uid_t user) {
  struct stat status;
  if (::lstat(dir.c_str(), &status) != 0) return dir;
  if (status.st_uid != user) return fmt::format("{} (belongs to user {})", dir, status.st_uid);
  return dir + " (not private)";
}

/// Opens a directory that nobody but this user can have put things into.
Result<UniqueFd> open_private(const std::string& dir, uid_t user) {
  const UniqueFd place = TRY(user == ::geteuid() ? open_file(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW)
                                                 : open_unasked(dir));
  // Its server would say that everything is private.
  TRY(check_may_be_asked(place.get()).context(dir));
  UniqueFd fd = TRY(open_at(place.get(), ".", O_RDONLY | O_DIRECTORY));
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) return Error::from_errno(dir, errno);
  if (status.st_uid != user || (status.st_mode & 022) != 0)
    return Error(ErrorKind::io, dir + ": others may have written to it");
  return fd;
}

constexpr std::string_view kLogEnd = ".log";

/// Removes the records of servers that were killed, and their logs if nothing is in them.
void remove_left_files(int dir) {
  const auto names = list_names(dir);
  if (!names) return;
  for (const std::string& name : *names) {
    const bool is_record = name.starts_with(kRecordStart) && name.ends_with(kRecordEnd);
    if (!is_record && !name.ends_with(kLogEnd)) continue;
    const auto fd = open_at(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!fd || ::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) continue;
    const auto size = file_size(fd->get());
    if (is_record || (size && *size == 0)) ::unlinkat(dir, name.c_str(), 0);
  }
}

/// Opens for appending what may be there already. Does not block, as opening a FIFO would.
Result<UniqueFd> open_to_append(int dir, const std::string& name, int flags) {
  UniqueFd fd = TRY(
      open_at(dir, name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | flags, 0600));
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) return Error::from_errno(name, errno);
  if (!S_ISREG(status.st_mode)) return Error(ErrorKind::io, name + ": not a regular file");
  return fd;
}

}  // namespace

Result<std::string> make_runtime_dir() {
  const std::vector<std::string> dirs = runtime_dirs(::geteuid());
  for (const std::string& dir : dirs) {
    // Of the last only the home directory need be there.
    if (&dir == &dirs.back())
      (void)make_directories(dir.substr(0, dir.rfind('/')), 0700).has_value();
    if (::mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) continue;
    if (open_private(dir, ::geteuid()) && ::access(dir.c_str(), W_OK) == 0) return dir;
  }
  std::vector<std::string> reasons;
  reasons.reserve(dirs.size());
  for (const std::string& dir : dirs) reasons.push_back(with_owner(dir, ::geteuid()));
  return Error(ErrorKind::io, fmt::format("no private directory for logs: could make none of {}",
                                          fmt::join(reasons, ", ")));
}

std::vector<UniqueFd> open_runtime_dirs(uid_t user) {
  std::vector<UniqueFd> open;
  for (const std::string& dir : runtime_dirs(user))
    if (auto fd = open_private(dir, user)) open.push_back(std::move(*fd));
  return open;
}

Result<UniqueFd> open_own_file(int dir, const std::string& name, int flags) {
  UniqueFd place = TRY(open_at(dir, name, O_PATH | O_NOFOLLOW));
  if (TRY(mount_number(place.get())) != TRY(mount_number(dir)))
    return Error(ErrorKind::untrusted, name + ": something is mounted over it", EXDEV);
  if ((flags & O_PATH) != 0) return place;
  struct stat status;
  if (::fstat(place.get(), &status) != 0) return Error::from_errno(name, errno);
  if (!S_ISREG(status.st_mode)) return Error(ErrorKind::untrusted, name + ": not a regular file");
  return open_file(fmt::format("/proc/self/fd/{}", place.get()), flags);
}

Result<UniqueFd> lock_directory(const std::string& dir) {
  UniqueFd fd = TRY(open_file(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (::flock(fd.get(), LOCK_EX) != 0) return Error::from_errno("cannot lock " + dir, errno);
  return fd;
}

Result<UniqueFd> make_runtime_file(const std::string& dir, const std::string& name,
                                   IfHeld if_held) {
  // One at a time: a file that is not locked yet must not be taken for one that was left behind.
  const UniqueFd whole = TRY(lock_directory(dir));
  remove_left_files(whole.get());
  UniqueFd fd = TRY(open_to_append(whole.get(), name, 0).context(dir));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno != EWOULDBLOCK || if_held == IfHeld::refuse)
    return Error::from_errno("cannot lock " + dir + "/" + name, errno);
  if (::unlinkat(whole.get(), name.c_str(), 0) != 0)
    return Error::from_errno("cannot replace " + dir + "/" + name, errno);
  fd = TRY(open_to_append(whole.get(), name, O_EXCL).context(dir));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return Error::from_errno("cannot lock " + dir + "/" + name, errno);
  return fd;
}

}  // namespace intact::service
