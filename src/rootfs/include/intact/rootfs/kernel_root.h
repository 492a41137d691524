#pragma once

#include <optional>
#include <string>

#include <intact/base/result.h>
#include <intact/kernel/image_mount.h>
#include <intact/rootfs/root_spec.h>
#include <intact/store/lease.h>

namespace intact::rootfs {

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
