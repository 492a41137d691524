#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/image/opened_image.h>
#include <intact/kernel/image_mount.h>
#include <intact/serve/mounts.h>
#include <intact/store/store.h>

namespace intact::cli {

/// The kernel's mount of an opened image, not attached anywhere yet. `image_file` is the image's
/// file in the store; the mount keeps it open, and the image's lease must last as long as the
/// mount. Unless `verity` is off every object must have fs-verity, since overlayfs would refuse the
/// others at every read. unsupported says what the caller, the kernel, or the file system of the
/// store lacks.
Result<kernel::ImageMount> make_kernel_mount(const store::Store& store,
                                             const image::OpenedImage& image,
                                             const std::string& name, image::VerityMode verity,
                                             int image_file);

/// Has the kernel mount an opened image on `directory`, and keeps it in the store as long as it is
/// mounted anywhere. Errors are those of make_kernel_mount(); nothing is mounted then.
Result<void> mount_by_kernel(store::Store& store, const image::OpenedImage& image,
                             const std::string& name, const std::string& directory,
                             image::VerityMode verity);

/// Whether mount_by_kernel() made it.
bool is_kernel_mount(const serve::MountEntry& entry);

}  // namespace intact::cli
