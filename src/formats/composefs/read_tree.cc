#include <unordered_map>

#include <fmt/format.h>

#include <intact/composefs/read.h>

#include "format.h"
#include "image_walk.h"
#include "overlay_view.h"

namespace intact::composefs {
namespace {

constexpr std::string_view kWhiteout = "trusted.overlay.whiteout";
constexpr std::string_view kWhiteouts = "trusted.overlay.whiteouts";

Error over_limit(std::string_view what) {
  return Error(ErrorKind::limit, fmt::format("composefs image: {}", what));
}

class TreeReader {
 public:
  TreeReader(const erofs::Image& image, std::uint64_t metadata_bytes)
      : image_(image), content_left_(image.superblock().size), metadata_left_(metadata_bytes) {}

  Result<tree::Tree> read(const ReadOptions& options) {
    TRY(walk_image(image_, options, [this](const WalkItem& item) -> Result<bool> {
      TRY(add(item));
      return true;
    }));
    return std::move(tree_);
  }

 private:
  Result<void> add(const WalkItem& item) {
    directories_.resize(item.depth);
    if (item.seen_before) {
      directories_.back()->entries[std::string(item.name)] = {files_.at(item.inode.nid), true};
      return {};
    }
    tree::InodePtr inode = std::make_shared<tree::Inode>();
    TRY(fill(item.inode, *inode).context(item.path));
    if (item.depth == 0) {
      tree_.root() = std::move(*inode);
      directories_.push_back(&tree_.root());
      return {};
    }
    tree::Inode* parent = directories_.back();
    if (item.inode.is_directory())
      directories_.push_back(inode.get());
    else
      files_.emplace(item.inode.nid, inode);
    parent->entries.emplace_hint(parent->entries.end(), item.name,
                                 tree::Entry{std::move(inode), false});
    return {};
  }

  Result<void> fill(const erofs::Inode& from, tree::Inode& to) {
    to.attributes = from.attributes;
    OverlayView view = overlay_view(TRY(image_.xattrs(from)));
    for (const tree::Xattr& xattr : view.shown) {
      const std::uint64_t size = tree::kXattrCost + xattr.name.size() + xattr.value.size();
      if (size > metadata_left_) return over_limit("the extended attributes are too large");
      metadata_left_ -= size;
    }
    if (from.attributes.is_symlink()) to.payload = TRY(image_.read_link(from));
    if (from.attributes.is_regular()) {
      to.payload = TRY(view.payload());
      to.digest = TRY(view.digest());
      TRY(read_content(from, view.metacopy.has_value(), to));
    }
    take_xattrs(std::move(view.shown), to);
    return {};
  }

  Result<void> read_content(const erofs::Inode& from, bool has_object, tree::Inode& to) {
    const std::uint64_t size = from.attributes.size;
    if (size == 0) return {};
    if (from.layout == erofs::Layout::chunked) {
      if (has_object) return {};
      return Error(ErrorKind::malformed, "content is neither in the image nor in an object");
    }
    if (size > kContentMax)
      return over_limit(
          fmt::format("{} bytes of inline content, the maximum is {}", size, kContentMax));
    if (size > content_left_) return Error(ErrorKind::malformed, "files share inline content");
    content_left_ -= size;
    to.content.resize(static_cast<std::size_t>(size));
    return image_.read(from, 0, std::as_writable_bytes(std::span(to.content)));
  }

  /// Turns the marks of whiteouts back into what the writer was given.
  static void take_xattrs(std::vector<tree::Xattr> shown, tree::Inode& to) {
    for (tree::Xattr& xattr : shown) {
      if (xattr.name == kWhiteout && to.attributes.is_regular()) {
        to.attributes.mode = (to.attributes.mode & ~S_IFMT) | S_IFCHR;
        to.attributes.size = 0;
        to.payload.clear();
        to.content.clear();
        to.digest.reset();
      } else if (xattr.name != kWhiteouts && xattr.name != kUserWhiteout &&
                 xattr.name != kUserWhiteouts) {
        to.xattrs.push_back(std::move(xattr));
      }
    }
    to.xattrs.shrink_to_fit();
  }

  const erofs::Image& image_;
  std::uint64_t content_left_;
  std::uint64_t metadata_left_;
  tree::Tree tree_;
  std::vector<tree::Inode*> directories_;  ///< from the root to where the walk is
  std::unordered_map<std::uint64_t, tree::InodePtr> files_;
};

}  // namespace

Result<tree::Tree> read_tree(std::shared_ptr<const ByteSource> image, const ReadOptions& options) {
  const auto opened = TRY(open_image(std::move(image)));
  return TreeReader(*opened, options.metadata_bytes).read(options);
}

Result<ImageInfo> read_info(std::shared_ptr<const ByteSource> image) {
  ImageInfo info;
  TRY(open_image(std::move(image), &info));
  return info;
}

}  // namespace intact::composefs
