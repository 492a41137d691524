#pragma once

#include <chrono>
#include <string>

#include <sys/types.h>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::service {

/// The mark of a running mount server: a file in the runtime directory, named after the mounted
/// file system and locked while the server lives, so that umount can wait for its end.
class MountRecord {
 public:
  /// `device` is "MAJOR:MINOR" of the file system.
  static Result<MountRecord> create(const std::string& device);
  MountRecord(MountRecord&&) noexcept = default;
  MountRecord& operator=(MountRecord&&) = delete;
  ~MountRecord();

 private:
  MountRecord(std::string dir, std::string name, UniqueFd fd)
      : dir_(std::move(dir)), name_(std::move(name)), fd_(std::move(fd)) {}
  std::string dir_;
  std::string name_;
  UniqueFd fd_;
};

/// The server of a mount, found before it is unmounted and waited for afterwards.
class MountServer {
 public:
  /// `device` as for MountRecord, `user` the one who mounted it. Without a record there is nothing
  /// to wait for.
  static MountServer find(const std::string& device, uid_t user);
  /// Whether the server certainly exists. It may be stopped or stuck, so the mount itself is not
  /// asked: that would wait for it.
  bool is_running() const;
  /// Whether it has ended within that time.
  bool wait_for_end(std::chrono::milliseconds timeout) const;

 private:
  UniqueFd fd_;
};

}  // namespace intact::service
