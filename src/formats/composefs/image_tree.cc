#include <algorithm>

#include <fmt/format.h>

#include <intact/composefs/image_tree.h>
#include <intact/erofs/image.h>

#include "image_walk.h"
#include "overlay_view.h"

namespace intact::composefs {
namespace {

std::uint64_t nid_of(tree::NodeId node) {
  return static_cast<std::uint64_t>(node);
}

Error malformed(tree::NodeId node, std::string_view what) {
  return Error(ErrorKind::malformed,
               fmt::format("composefs image, inode {}: {}", nid_of(node), what));
}

/// A file whose content is in the image.
class InlineFile final : public tree::OpenFile {
 public:
  InlineFile(std::shared_ptr<const erofs::Image> image, erofs::Inode inode)
      : image_(std::move(image)), inode_(inode) {}

  Result<std::size_t> read(std::uint64_t offset, MutableByteSpan out) override {
    const std::uint64_t size = inode_.attributes.size;
    if (offset >= size) return std::size_t{0};
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size - offset));
    TRY(image_->read(inode_, offset, out.first(count)));
    return count;
  }

 private:
  std::shared_ptr<const erofs::Image> image_;
  erofs::Inode inode_;
};

}  // namespace

ImageTree::ImageTree(std::unique_ptr<const erofs::Image> image,
                     std::shared_ptr<const ObjectOpener> opener)
    : image_(std::move(image)), opener_(std::move(opener)) {}

ImageTree::~ImageTree() = default;

Result<std::unique_ptr<ImageTree>> ImageTree::open(std::shared_ptr<const ByteSource> verified_image,
                                                   std::shared_ptr<const ObjectOpener> opener) {
  auto image = TRY(open_image(std::move(verified_image)));
  const erofs::Inode root = TRY(image->inode(image->root()));
  if (!root.is_directory()) return malformed(tree::NodeId{root.nid}, "the root is not a directory");
  return std::unique_ptr<ImageTree>(new ImageTree(std::move(image), std::move(opener)));
}

tree::NodeId ImageTree::root() const {
  return tree::NodeId{image_->root()};
}

Result<tree::Attributes> ImageTree::attributes(tree::NodeId node) const {
  return TRY(image_->inode(nid_of(node))).attributes;
}

Result<erofs::Inode> ImageTree::directory(tree::NodeId node) const {
  const erofs::Inode inode = TRY(image_->inode(nid_of(node)));
  if (!inode.is_directory()) return Error(ErrorKind::invalid_argument, "not a directory", ENOTDIR);
  return inode;
}

Result<tree::NodeId> ImageTree::parent(tree::NodeId node) const {
  const auto found = TRY(image_->lookup(TRY(directory(node)), ".."));
  if (!found) return malformed(node, "a directory without '..'");
  return tree::NodeId{found->nid};
}

Result<tree::NodeId> ImageTree::lookup(tree::NodeId node, std::string_view name) const {
  const erofs::Inode inside = TRY(directory(node));
  const auto none = [&] {
    return Error(ErrorKind::not_found, fmt::format("no file '{}'", name), ENOENT);
  };
  if (name == "." || name == "..") return none();
  const auto found = TRY(image_->lookup(inside, name));
  if (!found) return none();
  const erofs::Inode child = TRY(image_->inode(found->nid));
  if (erofs::file_type_of(child.attributes.mode) != found->type)
    return malformed(tree::NodeId{child.nid}, "its type differs from that in its directory");
  if (is_real_whiteout(child)) return none();
  // Each directory names one parent: as long as all agree, directories cannot form a loop.
  if (child.is_directory() &&
      (child.nid == image_->root() || TRY(parent(tree::NodeId{child.nid})) != node))
    return malformed(tree::NodeId{child.nid}, "a directory with two parents");
  return tree::NodeId{child.nid};
}

Result<void> ImageTree::list(
    tree::NodeId node, std::uint64_t cookie,
    const std::function<bool(const tree::DirectoryEntry&, std::uint64_t next)>& emit) const {
  const erofs::Inode inside = TRY(directory(node));
  return image_->list(
      inside, cookie, [&](const erofs::Dirent& entry, std::uint64_t next) -> Result<bool> {
        if (entry.name == "." || entry.name == "..") return true;
        if (entry.type == erofs::FileType::character_device &&
            is_real_whiteout(TRY(image_->inode(entry.nid))))
          return true;
        return emit({entry.name, tree::NodeId{entry.nid}, erofs::mode_type_of(entry.type)}, next);
      });
}

Result<std::string> ImageTree::read_link(tree::NodeId symlink) const {
  return image_->read_link(TRY(image_->inode(nid_of(symlink))));
}

Result<std::vector<std::string>> ImageTree::list_xattrs(tree::NodeId node) const {
  const erofs::Inode inode = TRY(image_->inode(nid_of(node)));
  OverlayView view = overlay_view(TRY(image_->xattrs(inode)));
  std::vector<std::string> names;
  names.reserve(view.shown.size());
  for (tree::Xattr& xattr : view.shown) names.push_back(std::move(xattr.name));
  return names;
}

Result<std::string> ImageTree::get_xattr(tree::NodeId node, std::string_view name) const {
  const erofs::Inode inode = TRY(image_->inode(nid_of(node)));
  OverlayView view = overlay_view(TRY(image_->xattrs(inode)));
  for (tree::Xattr& xattr : view.shown) {
    if (xattr.name == name) return std::move(xattr.value);
  }
  return Error(ErrorKind::not_found, fmt::format("no extended attribute '{}'", name), ENODATA);
}

Result<std::shared_ptr<tree::OpenFile>> ImageTree::open(tree::NodeId file) const {
  const erofs::Inode inode = TRY(image_->inode(nid_of(file)));
  if (!inode.attributes.is_regular())
    return Error(ErrorKind::invalid_argument, "not a regular file");
  if (inode.layout != erofs::Layout::chunked || inode.attributes.size == 0)
    return std::static_pointer_cast<tree::OpenFile>(std::make_shared<InlineFile>(image_, inode));
  // Its chunks are holes that give it its size: overlayfs reads the object instead.
  const OverlayView view = overlay_view(TRY(image_->xattrs(inode)));
  const std::string payload = TRY(view.payload());
  if (!view.metacopy || payload.empty())
    return malformed(file, "content is neither in the image nor in an object");
  return opener_->open(payload, TRY(view.digest()), inode.attributes.size, file);
}

tree::Statistics ImageTree::statistics() const {
  return {.inodes = image_->superblock().inodes, .bytes = image_->superblock().size};
}

std::string ImageTree::path_of(tree::NodeId node) const {
  std::string found;
  const auto outcome = walk_image(*image_, {}, [&](const WalkItem& item) -> Result<bool> {
    if (item.inode.nid != nid_of(node)) return true;
    found = item.path;
    return false;
  });
  if (!outcome || found.empty()) return fmt::format("(node {})", nid_of(node));
  return found;
}

}  // namespace intact::composefs
