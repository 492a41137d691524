#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/kernel/overlay.h>

namespace intact::kernel {

/// The mount table shows these mounts as overlays whose source begins like this.
inline constexpr std::string_view kImageMountSource = "intact:";
/// Whether a line of the mount table with that type and source is such a mount.
bool is_image_mount(std::string_view type, std::string_view source);

/// Whether this process may mount images, and the kernel has what that takes. unsupported says what
/// is lacking.
Result<void> check_can_mount_images();

/// What a composefs mount is made of. The descriptors stay the caller's.
struct ImageLayers {
  int image = -1;            ///< the EROFS file, open for reading
  Digest digest;             ///< the fs-verity digest that it must have
  std::vector<int> objects;  ///< directories of objects; each is looked for in order
};

struct ImageMountOptions {
  std::string source;  ///< what the mount table shows behind kImageMountSource
  Verity verity = Verity::require;
  /// What kernels learnt over time. A test turns it off to walk the way of older ones.
  bool use_file_backed_erofs = true;  ///< 6.12: EROFS mounts a file without a loop device
  bool use_layer_options = true;      ///< 6.8: overlayfs takes one layer at a time
};

/// An image mounted by the kernel alone: EROFS for the metadata and overlayfs for the objects,
/// which checks that each has the fs-verity digest that the metadata names when it is opened;
/// fs-verity checks every page that is read. No process serves it.
///
///     auto mount = TRY(ImageMount::create(layers, options));   // nobody sees it yet
///     TRY(mount.attach("/mnt"));                                // it stays until umount(2)
///
/// Not thread-safe. Needs CAP_SYS_ADMIN in the initial user namespace.
class ImageMount {
 public:
  /// Measures the digest of the image on the descriptor that is then mounted. Leaves no trace when
  /// it fails, not even when it is killed. tampered: the image has another digest; unsupported: it
  /// has no fs-verity, or the kernel or the caller's privileges lack something, with what it is.
  static Result<ImageMount> create(const ImageLayers& layers, const ImageMountOptions& options);

  /// Mounts it on a directory: ro,nosuid,nodev. Once only.
  Result<void> attach(const std::string& mountpoint);

 private:
  explicit ImageMount(UniqueFd mount) : mount_(std::move(mount)) {}
  UniqueFd mount_;
};

/// Unmounts the mount of that number in mountinfo, which has this mount point there, and nothing
/// else that may be there now. `lazy` takes it out of sight although it is in use. busy says how to
/// find out by whom.
Result<void> detach_image_mount(const std::string& mountpoint, int number, bool lazy);

}  // namespace intact::kernel
