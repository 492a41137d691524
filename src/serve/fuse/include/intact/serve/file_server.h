#pragma once

#include <memory>
#include <string>

#include <intact/base/result.h>
#include <intact/block/target.h>
#include <intact/serve/fuse_server.h>

namespace intact::serve {

/// Mounts a block device, read-only, as one regular file over an existing one: what reads that file
/// reads the device. The kernel's own file systems mount such a file like any image.
///
/// Only the user who mounts may open it unless options.allow_other. A read that fails is EIO for
/// the pages that cannot be had and for no others.
///
/// serve() belongs to one thread; unmount() may be called from any.
class FileServer {
 public:
  /// Mounts over the regular file options.mountpoint. Errors as of FuseServer::mount; the target is
  /// expected to tell of damage itself, options.log hears of all other failures.
  static Result<std::unique_ptr<FileServer>> mount(
      const std::shared_ptr<const block::BlockTarget>& target, const FuseOptions& options);
  FileServer(const FileServer&) = delete;
  FileServer& operator=(const FileServer&) = delete;
  /// Unmounts what is still mounted.
  ~FileServer();

  /// Blocks until the mount is unmounted, or a signal ends it and it has been unmounted. Once only.
  Result<void> serve();
  /// Takes the mount away, in use or not; serve() then returns once its last user is gone.
  void unmount();

  /// Absolute, without symlinks: as the mount table has it.
  const std::string& mountpoint() const;
  /// "MAJOR:MINOR" of the mounted file system, as the mount table has it.
  const std::string& device() const;

 private:
  struct Impl;
  explicit FileServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace intact::serve
