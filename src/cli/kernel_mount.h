#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/image/opened_image.h>
#include <intact/serve/kernel_mount.h>
#include <intact/serve/mounts.h>
#include <intact/store/store.h>

namespace intact::cli {

/// The kernel's mount of an opened image, not attached anywhere yet. `image_file` is the image's
/// file in the store; the mount keeps it open, and the image's lease must last as long as the
/// mount. Unless `verity` is off every object must have fs-verity, because overlayfs would refuse
/// to read the others. unsupported: the kernel, the store's file system or the caller's privileges
/// lack something; the message says what.
Result<serve::KernelMount> make_kernel_mount(const store::Store& store,
                                             const image::OpenedImage& image,
                                             const std::string& name, image::VerityMode verity,
                                             int image_file);

/// Makes the kernel mount an opened image on `directory`, and keeps the image in the store as long
/// as it is mounted anywhere. Errors are those of make_kernel_mount(); after one nothing is
/// mounted.
Result<void> mount_by_kernel(store::Store& store, const image::OpenedImage& image,
                             const std::string& name, const std::string& directory,
                             image::VerityMode verity);

/// Whether mount_by_kernel() made it.
bool is_kernel_mount(const serve::MountEntry& entry);

}  // namespace intact::cli
