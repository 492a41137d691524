#include "mount_record.h"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>
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

/// Whether nobody but this user can have put things into it.
bool is_private(const std::string& dir, uid_t user) {
  struct stat status;
  return ::lstat(dir.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == user &&
         (status.st_mode & 022) == 0;
}

constexpr std::string_view kRecordStart = "mount-";
constexpr std::string_view kRecordEnd = ".pid";
constexpr std::string_view kLogEnd = ".log";

std::string record_name(const std::string& device) {
  return fmt::format("{}{}{}", kRecordStart, device, kRecordEnd);
}

/// Removes the records of servers that were killed, and their logs if nothing is in them.
void remove_left_files(const std::string& dir) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir, error)) {
    const std::string name = entry.path().filename().string();
    const bool is_record = name.starts_with(kRecordStart) && name.ends_with(kRecordEnd);
    if (!is_record && !name.ends_with(kLogEnd)) continue;
    const auto fd = open_file(entry.path(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!fd || ::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) continue;
    const auto size = file_size(fd->get());
    if (is_record || (size && *size == 0)) ::unlink(entry.path().c_str());
  }
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

Result<UniqueFd> lock_directory(const std::string& dir) {
  UniqueFd fd = TRY(open_file(dir, O_RDONLY | O_DIRECTORY));
  if (::flock(fd.get(), LOCK_EX) != 0) return Error::from_errno("cannot lock " + dir, errno);
  return fd;
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

std::vector<std::string> find_runtime_dirs(uid_t user) {
  std::vector<std::string> dirs = runtime_dirs(user);
  std::erase_if(dirs, [user](const std::string& dir) { return !is_private(dir, user); });
  return dirs;
}

Result<UniqueFd> make_runtime_file(const std::string& dir, const std::string& name,
                                   IfHeld if_held) {
  // One at a time: a file that is not locked yet must not be taken for one that was left behind.
  const UniqueFd whole = TRY(lock_directory(dir));
  remove_left_files(dir);
  UniqueFd fd = TRY(
      open_at(whole.get(), name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600).context(dir));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno != EWOULDBLOCK || if_held == IfHeld::refuse)
    return Error::from_errno("cannot lock " + dir + "/" + name, errno);
  if (::unlinkat(whole.get(), name.c_str(), 0) != 0)
    return Error::from_errno("cannot replace " + dir + "/" + name, errno);
  fd = TRY(open_at(whole.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0600)
               .context(dir));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return Error::from_errno("cannot lock " + dir + "/" + name, errno);
  return fd;
}

Result<MountRecord> MountRecord::create(const std::string& device) {
  const std::string dir = TRY(make_runtime_dir());
  // The number is free again once a mount is gone, and its server may take longer to end.
  UniqueFd fd = TRY(make_runtime_file(dir, record_name(device), IfHeld::replace));
  TRY(write_all(fd.get(), as_bytes(fmt::format("{}\n", ::getpid()))));
  return MountRecord(dir, record_name(device), std::move(fd));
}

MountRecord::~MountRecord() {
  if (!fd_) return;
  const std::string path = dir_ + "/" + name_;
  // If another mount has the device number now, that file is its record.
  const auto whole = lock_directory(dir_);
  if (whole && is_file_at(path, fd_.get())) ::unlink(path.c_str());
  // Not closed: the lock says that this process lives, to its very end.
  fd_.release();
}

MountServer MountServer::find(const serve::MountEntry& entry) {
  MountServer server;
  const uid_t user = user_of(entry);
  for (const std::string& dir : find_runtime_dirs(user)) {
    auto fd = open_file(dir + "/" + record_name(entry.device), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
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
