#pragma once

#include <string>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/tree/tree.h>

namespace intact::composefs {

/// Regular files of up to this many bytes are kept in the image and have no object.
constexpr std::size_t kInlineLimit = 64;

/// Where an object stands below the object directory: two hex digits, '/', the others.
std::string object_path(const Digest& digest);

/// The options of mkcomposefs for a directory as source.
struct ScanOptions {
  bool use_epoch = false;     ///< every mtime is 0
  bool skip_xattrs = false;   ///< no extended attributes
  bool user_xattrs = false;   ///< only those in "user."; excludes skip_xattrs
  bool skip_devices = false;  ///< leave out device nodes
  /// When not empty: copy each file that is not kept inline into this object directory (made if
  /// need be), unless an object of its name is there. Objects are durable before they get their
  /// name, readable by all, and get fs-verity where the file system has it.
  std::string digest_store;
  unsigned threads = 0;  ///< for hashing and copying; 0: one for each processor
};

/// The tree of a directory as mkcomposefs sees it: symlinks are not followed, mounts below are
/// entered, every name of a hard-linked file is a file of its own with nlink 1, every non-empty
/// regular file gets digest and payload, small ones their content, too. Errors name the file. A
/// file that changes meanwhile is an io error if its size changes.
Result<tree::Tree> scan_directory(const std::string& path, const ScanOptions& options = {});

}  // namespace intact::composefs
