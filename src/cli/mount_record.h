#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <sys/types.h>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/serve/mounts.h>

namespace intact::cli {

/// The directory for records and logs of servers: /run/intact for root, $XDG_RUNTIME_DIR/intact for
/// others, otherwise /tmp/intact-UID. Made if missing, private to the user.
Result<std::string> make_runtime_dir();

/// Those of a user's that exist and that nobody else can have written to.
std::vector<std::string> find_runtime_dirs(uid_t user);

/// What to do about a file that a running process holds: leave it, or replace it.
enum class IfHeld { refuse, replace };

/// Makes the file `name` in that directory, locked while this process, or a child that inherits the
/// descriptor, runs. Removes the records and empty logs of servers that were killed.
Result<UniqueFd> make_runtime_file(const std::string& dir, const std::string& name,
                                   IfHeld if_held = IfHeld::refuse);

/// The mark of a running mount server: a file in the runtime directory, named after the mounted
/// file system and locked while the server lives, so that umount can wait for its end.
class MountRecord {
 public:
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
  /// Without a record there is nothing to wait for.
  static MountServer find(const serve::MountEntry& entry);
  /// Whether the server certainly exists. It may be stopped or stuck, so the mount itself is not
  /// asked: that would wait for it.
  bool is_running() const;
  /// Whether it has ended within that time.
  bool wait_for_end(std::chrono::milliseconds timeout) const;

 private:
  UniqueFd fd_;
};

}  // namespace intact::cli
