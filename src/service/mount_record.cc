#include <cerrno>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/service/mount_record.h>

#include "runtime_files.h"

namespace intact::service {
namespace {

std::string record_name(const std::string& device) {
  return fmt::format("{}{}{}", kRecordStart, device, kRecordEnd);
}

}  // namespace

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

MountServer MountServer::find(const std::string& device, uid_t user) {
  MountServer server;
  for (const UniqueFd& dir : open_runtime_dirs(user)) {
    if (auto fd = open_own_file(dir.get(), record_name(device), O_RDONLY))
      server.fd_ = std::move(*fd);
    if (server.fd_) break;
  }
  return server;
}

bool MountServer::is_running() const {
  return fd_ && ::flock(fd_.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

bool MountServer::wait_for_end(std::chrono::milliseconds timeout) const {
  if (!fd_) return true;
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (is_running()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace intact::service
