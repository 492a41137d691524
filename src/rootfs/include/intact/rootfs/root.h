#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/image/opened_image.h>
#include <intact/kernel/image_mount.h>
#include <intact/serve/fuse_server.h>
#include <intact/store/lease.h>
#include <intact/store/store.h>
#include <intact/tree/file_tree.h>

namespace intact::rootfs {

/// An image that has been opened, and the store that its contents are in.
struct RootSource {
  std::shared_ptr<store::Store> store;
  std::shared_ptr<const image::OpenedImage> image;
};

/// What presents a root file system to its users.
enum class Method {
  automatic,  ///< the kernel where that keeps every promise, otherwise FUSE
  fuse,       ///< one of our processes, which verifies every read
  kernel,     ///< EROFS, overlayfs and fs-verity; no process serves it
};

/// "auto", "fuse" or "kernel".
Result<Method> parse_method(std::string_view text);

/// What a caller wants of a root file system. The defaults are those of a private mount.
struct RootSpec {
  Method method = Method::automatic;
  image::VerityMode verity = image::VerityMode::require;
  bool others = false;  ///< users other than the one who mounts may enter
  /// The caller makes it the lower layer of an overlay of its own, which nothing here mounts: only
  /// a root that is not an overlay itself will do.
  bool overlaid = false;
  bool reports = false;  ///< somebody acts on what the server logs, or on damage that it finds
};

/// What the kernel can never give. It knows neither our log nor our users.
enum class KernelLimit {
  overlaid,  ///< overlayfs does not stack that deep: the image itself is an overlay
  reports,   ///< damage is reported to the program that reads, and to the kernel's log
};

/// The first thing that `spec` asks for and no kernel mount can give, whatever its method.
std::optional<KernelLimit> kernel_limit(const RootSpec& spec);

/// The methods to try. With both the kernel is first, and what it does not support is left to FUSE.
struct Methods {
  bool kernel = false;
  bool fuse = false;

  bool operator==(const Methods&) const = default;
};

/// The one rule for `auto`. The kernel is asked where a mount of its own would keep every promise
/// that the FUSE server makes:
///
/// - it has no limit for this root (kernel_limit());
/// - contents must have a digest (VerityMode::require): in the other modes the server warns about
///   what the kernel would serve in silence;
/// - everybody may enter, because everybody can enter a mount of the kernel;
/// - the caller is root (`is_root`), since no one else may mount.
///
/// Whether this kernel and the file system of the store can do it shows when it is tried: see
/// KernelRoot. A method that is named is the only one; with a limit for the kernel there is none.
Methods methods_for(const RootSpec& spec, bool is_root);
/// The same for this process.
Methods methods_for(const RootSpec& spec);

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

/// What keeps the image in its store while it is mounted.
enum class Hold {
  by_mount,    ///< the mount itself, for as long as anybody uses it: no process is needed
  by_process,  ///< the OpenedImage of the caller, who ends the mount before it
};

/// A root file system that the kernel presents. Until it is attached nobody sees it and it ends
/// with this object; what is attached stays until it is unmounted (kernel::detach_image_mount()) or
/// its mount namespace ends. Movable, not thread-safe.
class KernelRoot {
 public:
  /// Makes the mount if the rule gives it to the kernel (methods_for()), and returns nothing where
  /// FUSE has to do it: because of the rule, or because the kernel does not support it and the
  /// method is automatic.
  ///
  /// Unless the mode is off every object must have fs-verity, since overlayfs would refuse the
  /// others at every read. unsupported says what the caller, the kernel or the file system of the
  /// store lacks; invalid_argument: nothing can do what `spec` asks for. Nothing is left behind.
  static Result<std::optional<KernelRoot>> mount(const RootSource& source, const RootSpec& spec,
                                                 Hold hold);

  /// Shows it on an existing directory: ro,nosuid,nodev. Once only.
  Result<void> attach(const std::string& directory);

 private:
  KernelRoot(kernel::ImageMount mount, std::optional<store::MountLease> lease)
      : mount_(std::move(mount)), lease_(std::move(lease)) {}

  kernel::ImageMount mount_;
  std::optional<store::MountLease> lease_;
};

/// Has the kernel mount an image on `directory` for as long as it is used, or returns false where
/// FUSE has to do it. Errors as for KernelRoot; nothing is mounted then.
Result<bool> mount_by_kernel(const RootSource& source, const RootSpec& spec,
                             const std::string& directory);

}  // namespace intact::rootfs
