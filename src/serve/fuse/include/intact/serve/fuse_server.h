#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/block/target.h>
#include <intact/tree/file_tree.h>

namespace intact::serve {

struct FuseOptions {
  /// An existing directory; for mount_file() an existing regular file.
  std::string mountpoint;
  /// Lets every user in, within what file modes and ACLs allow. Without it only the user who mounts
  /// gets in, and not even root otherwise. For users /etc/fuse.conf must say user_allow_other.
  bool allow_other = false;
  /// What the mount table shows as the source.
  std::string fsname = "intact";
  /// The mount table shows the type "fuse.SUBTYPE".
  std::string subtype = "intact";
  /// Obey set-user-id bits and file capabilities, and device nodes: only root may ask for these.
  bool suid = false;
  bool dev = false;
  /// Most threads that serve at the same time; 0: twice the processors, at least 4.
  unsigned threads = 0;
  /// Gets one line (without newline) for each different failure but reads of tampered content,
  /// which the tree's owner hears of from the tree. Called from several threads.
  std::function<void(std::string_view)> log;
  /// SIGTERM, SIGINT and SIGHUP end serve(). For one server in a process.
  bool handle_signals = false;
  /// Gets the one byte kReady once a request has been answered, and is then closed. If nobody reads
  /// it any more, serve() ends. -1: none.
  int ready_fd = -1;
};

inline constexpr char kReady = 'R';

/// A mount and what answers the kernel's requests for it, with libfuse.
///
/// serve() belongs to one thread; unmount() may be called from any.
class FuseServer {
 public:
  /// Mounts a file tree, read-only. Requests wait in the kernel until serve() runs. As root, or in
  /// a user namespace of one's own, directly; otherwise through fusermount3. Errors: not_found (no
  /// such directory, no fusermount3), unsupported (no FUSE here), busy, io.
  ///
  /// Who checks permissions: for root, and whenever others may get in, the kernel does by the modes
  /// and ACLs of the tree. In a private mount of an ordinary user everything is readable to that
  /// user: all of it comes from his own store, and in his containers root is he.
  static Result<std::unique_ptr<FuseServer>> mount(
      const std::shared_ptr<const tree::FileTree>& tree, const FuseOptions& options);

  /// Mounts a block device as one regular file over an existing one: what reads that file reads the
  /// device, and what writes to it writes to the device if that is writable. The kernel's own file
  /// systems mount such a file like any image. Errors as of mount(). The device must be thread-safe
  /// and is expected to tell of damage itself; options.log hears of all other failures.
  ///
  /// The file has the size of the device and keeps it: cutting it or appending to it fails, but the
  /// end of the device is "no space". A hole that is punched reads as zeros. What write(2) returned
  /// for has been written to the device, durably after fsync(2). Only the user who mounts may open
  /// it unless options.allow_other; others then may read. A read that fails is EIO for the pages
  /// that cannot be had and for no others.
  static Result<std::unique_ptr<FuseServer>> mount_file(
      const std::shared_ptr<block::BlockTarget>& target, const FuseOptions& options);

  FuseServer(const FuseServer&) = delete;
  FuseServer& operator=(const FuseServer&) = delete;
  /// Unmounts what is still mounted.
  ~FuseServer();

  /// Blocks until the mount is unmounted, or a signal ends it and it has been unmounted. Once only.
  Result<void> serve();
  /// Takes the mount out of the file system, in use or not; serve() then returns once the last user
  /// of the mount is gone.
  void unmount();

  /// Absolute, without symlinks: as the mount table has it.
  const std::string& mountpoint() const;
  /// "MAJOR:MINOR" of the mounted file system, as the mount table has it.
  const std::string& device() const;

 private:
  struct Impl;
  explicit FuseServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace intact::serve
