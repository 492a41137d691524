#include <intact/rootfs/root.h>

namespace intact::rootfs {

Result<ServedRoot> ServedRoot::mount(RootSource source,
                                     const std::shared_ptr<const tree::FileTree>& tree,
                                     const ServeOptions& options) {
  serve::FuseOptions fuse;
  fuse.mountpoint = options.directory;
  fuse.allow_other = options.others;
  fuse.fsname = options.name;
  fuse.log = options.log;
  fuse.ready_fd = options.ready_fd;
  auto server = TRY(serve::FuseServer::mount(tree, fuse));
  return ServedRoot(std::move(source), std::move(server));
}

}  // namespace intact::rootfs
