#pragma once

#include <string>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/tree/tree.h>

namespace intact::composefs {

/// Regular files of up to this many bytes are kept in the image and have no object.
constexpr std::size_t kInlineLimit = 64;

/// The path of an object below the object directory: two hex digits, '/', the other digits.
std::string object_path(const Digest& digest);

/// The options of mkcomposefs for a directory as source.
struct ScanOptions {
  bool use_epoch = false;     ///< every mtime is 0
  bool skip_xattrs = false;   ///< no extended attributes
  bool user_xattrs = false;   ///< only those in "user."; excludes skip_xattrs
  bool skip_devices = false;  ///< omit device nodes
  /// When not empty: copy files that are not stored inline to this object directory (created if
  /// necessary) unless it has the object. Objects are durable before they get their name, readable
  /// by all, and get fs-verity if the file system supports it. Symlinks in it are not followed.
  std::string digest_store;
  unsigned threads = 0;  ///< for hashing and copying; 0: one per processor
};

/// The tree of a directory as mkcomposefs sees it: symlinks are not followed, mounts below it are
/// entered, every name of a hard-linked file is a separate file with nlink 1, and every non-empty
/// regular file has a digest and a payload; small files also have their content. Errors name the
/// file. A file whose size changes in the meantime is an io error.
Result<tree::Tree> scan_directory(const std::string& path, const ScanOptions& options = {});

}  // namespace intact::composefs
