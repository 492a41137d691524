#pragma once

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/tree/tree.h>

namespace intact::composefs {

/// Format versions of the image (the number in the composefs header). Version 1 also marks
/// directories that contain whiteouts, as newer kernels require; nothing else differs.
struct WriteOptions {
  unsigned min_version = 0;
  unsigned max_version = 1;  ///< below min_version: min_version
  unsigned threads = 0;      ///< 0: one per processor; a small tree takes one
};

/// The metadata image of `tree`, byte for byte as mkcomposefs 1.0.8 writes it: min_version, raised
/// to 1 when the tree holds a whiteout (character device 0) and max_version allows it.
///
/// nlink and size of directories and the size of symlinks are ignored; they follow from entries and
/// targets. Takes time linear in the size of the tree, and memory for the image and about 100 bytes
/// per inode, never a copy of the tree. The tree must not change in the meantime.
///
/// Errors: invalid_argument for a tree that no image can hold (hard link to a directory or to
/// something outside the tree, bad name, empty symlink, two whiteout-free versions above 1), limit
/// for what mkcomposefs refuses as too big (file beyond 2^53 bytes, extended attributes).
Result<Bytes> write_image(const tree::Tree& tree, const WriteOptions& options = {});

}  // namespace intact::composefs
