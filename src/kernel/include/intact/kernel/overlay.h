#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::kernel {

/// How overlayfs compares the digests in metadata-only files with those of the data: its option
/// verity=.
enum class Verity { off, on, require };

/// An overlay, as overlayfs and fuse-overlayfs mount it. Paths may contain every byte but NUL,
/// may be relative to the working directory, or name a descriptor ("/proc/self/fd/5"): the mount
/// table shows them as they are here.
struct Overlay {
  /// The directories where what is written goes, both on one file system.
  struct Upper {
    std::string directory;
    std::string work;
  };

  std::string source;              ///< shown in the mount table
  std::vector<std::string> lower;  ///< at least one; the uppermost first
  std::vector<std::string> data;   ///< data-only layers, in the order in which they are searched
  std::optional<Upper> upper;      ///< none: read-only
  /// Whether metadata-only files and redirects in the lower layers have an effect. Only for layers
  /// that are trusted, since they show any file of a layer below under any name.
  bool follow = false;
  Verity verity = Verity::off;  ///< needs `follow`
  /// Attributes are user.overlay.*, which a user namespace may set. Excludes `follow`.
  bool user_xattrs = false;
};

/// How layers are named to overlayfs.
enum class LayerOptions {
  one_by_one,  ///< lowerdir+ and datadir+ (Linux 6.8): not escaped
  joined,      ///< lowerdir, which separates them by colons
};

/// Pairs of option and value, in order; flags have an empty value.
using OverlayOptions = std::vector<std::pair<std::string, std::string>>;

/// The options of an overlay but its source, as overlayfs takes them: paths are escaped where it
/// unescapes them. invalid_argument: it has no lower layer, a path is empty or contains NUL, or
/// overlayfs excludes the combination.
Result<OverlayOptions> overlay_options(const Overlay& overlay, LayerOptions layers);

/// The argument of `fuse-overlayfs -o`. unsupported: the program cannot express it: data-only
/// layers, verity, or a colon in a lower layer.
Result<std::string> fuse_overlay_options(const Overlay& overlay);

/// A mount of the overlay that is attached nowhere and ends with the descriptor. `attributes` are
/// MOUNT_ATTR_* of fsmount(2). Layers must be mounted in the mount namespace of the caller; their
/// paths may have 255 bytes. `layers` is what to try first; kernels that do not know it get them
/// joined. Errors carry the kernel's words; unsupported: the kernel lacks overlayfs or an option,
/// or the caller may not mount.
Result<UniqueFd> mount_overlay(const Overlay& overlay, unsigned attributes,
                               LayerOptions layers = LayerOptions::one_by_one);

/// Mounts the overlay on a directory, nosuid and nodev, by mount(2), which also takes long paths
/// but does not say what is wrong.
Result<void> mount_overlay_on(const Overlay& overlay, const std::string& mountpoint);

}  // namespace intact::kernel
