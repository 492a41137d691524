#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/tree/file_tree.h>

namespace intact::erofs {
class Image;
struct Inode;
}  // namespace intact::erofs

namespace intact::composefs {

/// Opens the backing objects of an image. Must be thread-safe.
class ObjectOpener {
 public:
  virtual ~ObjectOpener() = default;
  /// Opens the object at `payload` (a checked relative path without "." and "..") below an object
  /// directory. The returned file has `size` bytes, and reads return verified bytes only. Without a
  /// `digest` in the image, the opener's policy decides whether the object is served. `node` is the
  /// file that refers to the object, for messages.
  virtual Result<std::shared_ptr<tree::OpenFile>> open(const std::string& payload,
                                                       const std::optional<Digest>& digest,
                                                       std::uint64_t size,
                                                       tree::NodeId node) const = 0;
};

/// The tree of a composefs image as a container sees it, which is also what the kernel's overlayfs
/// shows: `trusted.overlay.*` attributes are hidden and one level of escaping is removed, real
/// whiteouts (character device 0, those that hide the object directories) are hidden, inline
/// content comes from the image, other content through the opener. Whiteouts of the image itself
/// appear as overlayfs nests them: empty files with a `trusted.overlay.whiteout` attribute.
///
/// Opens in constant time and reads metadata on demand, so `verified_image` must check every byte
/// against the image's digest before it returns it. A NodeId is an EROFS nid. Hostile metadata is
/// malformed, never a loop. Thread-safe.
class ImageTree final : public tree::FileTree {
 public:
  static Result<std::unique_ptr<ImageTree>> open(std::shared_ptr<const ByteSource> verified_image,
                                                 std::shared_ptr<const ObjectOpener> opener);
  ~ImageTree() override;

  tree::NodeId root() const override;
  Result<tree::Attributes> attributes(tree::NodeId node) const override;
  Result<tree::NodeId> lookup(tree::NodeId directory, std::string_view name) const override;
  Result<tree::NodeId> parent(tree::NodeId directory) const override;
  Result<void> list(tree::NodeId directory, std::uint64_t cookie,
                    const std::function<bool(const tree::DirectoryEntry&, std::uint64_t next)>&
                        emit) const override;
  Result<std::string> read_link(tree::NodeId symlink) const override;
  Result<std::vector<std::string>> list_xattrs(tree::NodeId node) const override;
  Result<std::string> get_xattr(tree::NodeId node, std::string_view name) const override;
  Result<std::shared_ptr<tree::OpenFile>> open(tree::NodeId file) const override;
  tree::Statistics statistics() const override;

  /// A path of the node, found by walking the tree, which is slow: for messages only. "(node N)" if
  /// the node has no path.
  std::string path_of(tree::NodeId node) const;

 private:
  explicit ImageTree(std::unique_ptr<const erofs::Image> image,
                     std::shared_ptr<const ObjectOpener> opener);
  Result<erofs::Inode> directory(tree::NodeId node) const;

  std::shared_ptr<const erofs::Image> image_;
  std::shared_ptr<const ObjectOpener> opener_;
};

}  // namespace intact::composefs
