#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/composefs/read.h>
#include <intact/erofs/image.h>
#include <intact/tree/attributes.h>

namespace intact::composefs {

/// Opens an image: composefs header, then superblock. malformed, or unsupported for newer
/// formats.
Result<std::unique_ptr<erofs::Image>> open_image(std::shared_ptr<const ByteSource> source,
                                                 ImageInfo* info = nullptr);

/// A character device 0: hides object directories from the kernel and is not a file of the tree.
inline bool is_real_whiteout(const erofs::Inode& inode) {
  return S_ISCHR(inode.attributes.mode) && inode.attributes.rdev == 0;
}

/// The attributes of an inode, split into those that overlayfs acts on and those that it shows.
struct OverlayView {
  std::optional<std::string> redirect;  ///< as stored, with its leading slash
  std::optional<std::string> metacopy;  ///< as stored
  std::vector<tree::Xattr> shown;       ///< unescaped by one level

  /// Path below the object directories; empty when there is none. malformed for one that overlayfs
  /// would refuse.
  Result<std::string> payload() const;
  /// The digest in `metacopy`; nothing when it has none. malformed if it is not well-formed.
  Result<std::optional<Digest>> digest() const;
};

OverlayView overlay_view(std::vector<tree::Xattr> stored);

}  // namespace intact::composefs
