#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/rootfs/root_spec.h>
#include <intact/serve/fuse_server.h>
#include <intact/tree/file_tree.h>

namespace intact::rootfs {

struct ServeOptions {
  std::string directory;        ///< existing; shown there
  std::string name = "intact";  ///< the source in the mount table
  bool others = false;          ///< all users may enter, as far as modes and ACLs allow
  /// Told by service::tell_ready() once the mount answers; owned by the callee. -1: none.
  int ready_fd = -1;
  /// Gets a line for each different failure but damage, which the tree reports. From any thread.
  std::function<void(std::string_view)> log;
};

/// A root file system that this process serves by FUSE. It is unmounted at the end of this object,
/// which also holds the image. Movable; serve() belongs to one thread, stop() to any.
///
/// service::Server ends it on a signal, and leaves the record by which unmount() waits for it.
class ServedRoot {
 public:
  /// Mounts `tree`, which is the tree of the image or made from it. Requests wait until serve()
  /// runs. Errors of serve::FuseServer::mount().
  static Result<ServedRoot> mount(RootSource source,
                                  const std::shared_ptr<const tree::FileTree>& tree,
                                  const ServeOptions& options);

  /// Absolute, without symlinks: as in the mount table.
  const std::string& directory() const { return server_->mountpoint(); }
  /// "MAJOR:MINOR" of the file system, as in the mount table.
  const std::string& device() const { return server_->device(); }
  /// Blocks until it is unmounted, or stop() ends it. Once only.
  Result<void> serve() { return server_->serve(); }
  void stop() { server_->stop(); }

 private:
  ServedRoot(RootSource source, std::unique_ptr<serve::FuseServer> server)
      : source_(std::move(source)), server_(std::move(server)) {}

  RootSource source_;
  std::unique_ptr<serve::FuseServer> server_;
};

}  // namespace intact::rootfs
