#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/tree/tree.h>

namespace intact::composefs {

struct ReadOptions {
  /// When not empty: of the root's entries only these (and what is below them) are read.
  std::vector<std::string> toplevel_entries;
};

/// Reads a whole image back into the tree that it was written from: real whiteouts (the 256 that
/// hide the object directories) are left out, `trusted.overlay.*` is turned back into payload,
/// digest and whiteouts, escaped names are unescaped. Of the names of a file the first in walk
/// order becomes the primary one. A directory's size is that of its entries in the image, as in a
/// dump by composefs-info. Inverse of write_image but for numbers that the format itself forgets.
///
/// malformed, unsupported or limit for everything that this writer and mkcomposefs cannot have
/// written and that would not be safe to believe. That the image is the wanted one is for its
/// digest to tell, before.
Result<tree::Tree> read_tree(std::shared_ptr<const ByteSource> image,
                             const ReadOptions& options = {});

/// A backing object that an image refers to.
struct ObjectReference {
  Digest digest;        ///< fs-verity digest that its content must have
  std::string payload;  ///< path below the object directory
  std::uint64_t size;   ///< bytes
  std::string path;     ///< first path in the image that has this content
};

/// The distinct payloads of an image in walk order. A payload without digest, or one with two
/// digests or sizes, is malformed: nothing could verify it. Inline files have no object.
Result<std::vector<ObjectReference>> list_objects(std::shared_ptr<const ByteSource> image);

/// What the first bytes of an image tell.
struct ImageInfo {
  unsigned format_version = 0;  ///< 0 and 1: C writer; 2: composefs-rs's layout
  bool has_acl = false;
  std::uint64_t inodes = 0;  ///< the 256 whiteouts included
  std::uint64_t size = 0;    ///< bytes
};

/// Checks header and superblock only. malformed when it is no composefs image.
Result<ImageInfo> read_info(std::shared_ptr<const ByteSource> image);

}  // namespace intact::composefs
