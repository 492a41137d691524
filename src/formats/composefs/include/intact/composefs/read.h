#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/base/unique_fd.h>
#include <intact/tree/tree.h>

namespace intact::composefs {

/// Whether a file of an image may name its object by this path, relative to the directory of the
/// objects: components separated by single slashes, none of them empty, "." or "..", no NUL. What
/// reads images refuses everything else, as the kernel does.
bool is_legal_payload(std::string_view payload);

struct ReadOptions {
  /// When not empty: only these entries of the root directory, and all below them, are read.
  std::vector<std::string> toplevel_entries;
  /// For the xattrs of all files, each with tree::kXattrCost more: an image stores a shared one
  /// once. What a pull accepts by default can be read back.
  std::uint64_t metadata_bytes = tree::kMaxMetadata;
};

/// Reads a whole image back into the tree that it was written from: real whiteouts (the 256 that
/// hide the object directories) are omitted, `trusted.overlay.*` is turned back into payload,
/// digest and whiteouts, and escaped names are unescaped. The first name of a file in walk order
/// becomes its primary name. A directory's size is the size of its entries in the image, as in a
/// dump by composefs-info. The inverse of write_image, except for values that the format does not
/// store.
///
/// malformed, unsupported or limit for everything that neither this writer nor mkcomposefs writes
/// and that is not safe to believe. The caller must have checked the image's digest before.
Result<tree::Tree> read_tree(std::shared_ptr<const ByteSource> image,
                             const ReadOptions& options = {});

/// Adds the payloads of all regular files of a tree to `payloads`, as they are in the image. Files
/// whose content is inline have none.
void collect_payloads(const tree::Tree& tree, std::set<std::string>& payloads);

/// Whether the directory that `objects` is open for has no file at this path. Slashes at its front
/// do not count.
bool is_missing(int objects, const std::string& payload);

/// An image in a file that nobody has verified. Up to 1 GiB is read into memory, so that it cannot
/// change while it is parsed; larger files are read as needed.
Result<std::shared_ptr<const ByteSource>> open_image_file(UniqueFd fd);
/// The same for a descriptor that can only be read from front to back. limit: more than 1 GiB.
Result<std::shared_ptr<const ByteSource>> read_image_stream(int fd);

/// A backing object that an image refers to.
struct ObjectReference {
  Digest digest;        ///< fs-verity digest that its content must have
  std::string payload;  ///< path below the object directory
  std::uint64_t size;   ///< bytes
  std::string path;     ///< first path in the image that has this content
};

/// The distinct payloads of an image in walk order. A payload without a digest, or with two digests
/// or sizes, is malformed, because it could not be verified. Inline files have no object.
Result<std::vector<ObjectReference>> list_objects(std::shared_ptr<const ByteSource> image);

/// What the header and the superblock of an image contain.
struct ImageInfo {
  unsigned format_version = 0;  ///< 0 and 1: C writer; 2: composefs-rs's layout
  bool has_acl = false;
  std::uint64_t inodes = 0;  ///< the 256 whiteouts included
  std::uint64_t size = 0;    ///< bytes
};

/// Checks header and superblock only. malformed if it is not a composefs image.
Result<ImageInfo> read_info(std::shared_ptr<const ByteSource> image);

/// The fs-verity digest of an image: of the very bytes that are parsed, if it is in memory.
Result<Digest> digest_of_image(const ByteSource& image);

}  // namespace intact::composefs
