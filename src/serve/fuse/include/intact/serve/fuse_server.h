#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/block/device.h>
#include <intact/tree/file_tree.h>

namespace intact::serve {

using FailureSink = std::function<void(std::string_view line)>;

/// Tells the sink, if there is one.
inline void log_failure(const FailureSink& sink, std::string_view line) {
  if (sink) sink(line);
}

struct FuseOptions {
  /// An existing directory; for mount_file() an existing regular file.
  std::string mountpoint;
  /// Lets all users in, as far as file modes and ACLs allow. Without it only the user who mounts
  /// has access; not even root does. Ordinary users need user_allow_other in /etc/fuse.conf.
  bool allow_other = false;
  /// Shown in the mount table as the source.
  std::string fsname = "intact";
  /// Shown in the mount table as the type "fuse.SUBTYPE".
  std::string subtype = "intact";
  /// Obey set-user-id bits and file capabilities, and device nodes: only root may ask for these.
  bool suid = false;
  bool dev = false;
  /// Maximum number of threads that serve at the same time; 0: twice the processors, at least 4.
  unsigned threads = 0;
  /// Maximum number of different files of a tree that are open at the same time; opening another
  /// one fails with ENFILE. 0: 32768, or as many as the limit on descriptors (RLIMIT_NOFILE)
  /// allows, which mount() raises for this process as far as that is permitted.
  std::size_t max_open_files = 0;
  /// Receives a line (without newline) for each failed request, except reads of tampered content,
  /// which the tree reports to its owner. The kernel repeats requests that fail, so a LineLog,
  /// which writes each different line once, should be behind it. Called from several threads.
  FailureSink log;
  /// Told by tell_ready() (service/background.h) once a request has been answered. If nobody reads
  /// it by then, serve() ends. -1: none; otherwise owned by the server.
  int ready_fd = -1;
};

/// A FUSE mount together with the server that answers the kernel's requests for it.
///
/// serve() belongs to one thread; unmount() and stop() may be called from any. Signals that would
/// end the process wait from before it is mounted until this is destroyed (service::HeldSignals),
/// by the thread that made it: service::Server::end_on_request() gets them, or they arrive once
/// there is no mount any more.
class FuseServer {
 public:
  /// Mounts a file tree, read-only. Requests wait in the kernel until serve() runs. As root, or in
  /// a user namespace of one's own, directly; otherwise through fusermount3. Errors: not_found (no
  /// such directory, no fusermount3), unsupported (no FUSE here), busy, io.
  ///
  /// Permissions: for root, and whenever other users have access, the kernel checks the modes and
  /// ACLs of the tree. In a private mount of an ordinary user that user can read everything: all of
  /// it comes from the user's own store, and in the user's containers root is that user.
  static Result<std::unique_ptr<FuseServer>> mount(
      const std::shared_ptr<const tree::FileTree>& tree, const FuseOptions& options);

  /// Mounts a block device as one regular file over an existing one: reads of the file read the
  /// device, and writes go to the device if it is writable. The kernel's own file systems can mount
  /// such a file like any image. Errors: as for mount(). The device must be thread-safe and is
  /// expected to report damage itself; options.log receives all other failures.
  ///
  /// The file has the size of the device and keeps it: truncating it fails, and writing past the
  /// end fails with ENOSPC. A hole that is punched reads as zeros. When write(2) returns, the data
  /// has been written to the device; after fsync(2) it is durable. Only the user who mounts may
  /// open the file; with options.allow_other, others may read it. A read that fails is EIO for the
  /// pages that cannot be read and for no others.
  static Result<std::unique_ptr<FuseServer>> mount_file(
      const std::shared_ptr<block::Device>& target, const FuseOptions& options);

  FuseServer(const FuseServer&) = delete;
  FuseServer& operator=(const FuseServer&) = delete;
  /// Unmounts what is still mounted.
  ~FuseServer();

  /// Blocks until the mount is unmounted, or stop() ends it and it has been unmounted. Once only.
  /// The thread is woken up by SIGURG, which it must not block.
  Result<void> serve();
  /// Makes serve() return soon, or at once if it is called later. Those who use the mount get
  /// ENOTCONN.
  void stop();
  /// Detaches the mount, in use or not; serve() then returns once its last user is gone.
  void unmount();

  /// Absolute, without symlinks: as in the mount table.
  const std::string& mountpoint() const;
  /// "MAJOR:MINOR" of the mounted file system, as in the mount table.
  const std::string& device() const;

 private:
  struct Impl;
  explicit FuseServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace intact::serve
