#include "mount_record.h"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>

namespace intact::cli {

namespace {

/// The places of a user, best first.
std::vector<std::string> runtime_dirs(uid_t user) {
  std::vector<std::string> dirs;
  if (user == 0) dirs.emplace_back("/run/intact");
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime == '/' && user == ::geteuid())
    dirs.push_back(fmt::format("{}/intact", runtime));
  if (user != ::geteuid()) dirs.push_back(fmt::format("/run/user/{}/intact", user));
  dirs.push_back(fmt::format("/tmp/intact-{}", user));
  return dirs;
}

/// Whether only the user himself can have put things into it.
bool is_private(const std::string& dir, uid_t user) {
  struct stat status;
  return ::lstat(dir.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == user &&
         (status.st_mode & 022) == 0;
}

std::string record_name(const std::string& dir, const std::string& device) {
  return fmt::format("{}/mount-{}.pid", dir, device);
}

/// Who mounted it, as FUSE's options tell.
uid_t user_of(const serve::MountEntry& entry) {
  constexpr std::string_view kKey = "user_id=";
  const std::size_t at = entry.super_options.find(kKey);
  uid_t user = ::geteuid();
  if (at != std::string::npos) {
    const char* const begin = entry.super_options.data() + at + kKey.size();
    std::from_chars(begin, entry.super_options.data() + entry.super_options.size(), user);
  }
  return user;
}

}  // namespace

Result<std::string> make_runtime_dir() {
  const std::vector<std::string> dirs = runtime_dirs(::geteuid());
  for (const std::string& dir : dirs) {
    if (::mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) continue;
    if (is_private(dir, ::geteuid()) && ::access(dir.c_str(), W_OK) == 0) return dir;
  }
  return Error(ErrorKind::io, fmt::format("no private directory for logs: could make neither of {}",
                                          fmt::join(dirs, ", ")));
}

Result<MountRecord> MountRecord::create(const std::string& device) {
  std::string path = record_name(TRY(make_runtime_dir()), device);
  // What a killed server left behind may have the same name: device numbers are used again.
  ::unlink(path.c_str());
  UniqueFd fd = TRY(open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return Error::from_errno("cannot lock " + path, errno);
  TRY(write_all(fd.get(), as_bytes(fmt::format("{}\n", ::getpid()))));
  return MountRecord(std::move(path), std::move(fd));
}

MountRecord::~MountRecord() {
  if (fd_) ::unlink(path_.c_str());
  // Not closed: the lock says that this process lives, to its very end.
  fd_.release();
}

MountServer MountServer::find(const serve::MountEntry& entry) {
  MountServer server;
  const uid_t user = user_of(entry);
  for (const std::string& dir : runtime_dirs(user)) {
    if (!is_private(dir, user)) continue;
    auto fd = open_file(record_name(dir, entry.device), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!fd) continue;
    server.fd_ = std::move(*fd);
    break;
  }
  return server;
}

bool MountServer::is_running() const {
  return fd_ && ::flock(fd_.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

bool MountServer::wait_for_end(std::chrono::milliseconds most) const {
  if (!fd_) return true;
  const auto end = std::chrono::steady_clock::now() + most;
  while (is_running()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace intact::cli
