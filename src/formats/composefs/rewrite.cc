#include "rewrite.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "format.h"

namespace intact::composefs {
namespace {

Error bad_xattr(ErrorKind kind, std::string_view what) {
  return Error(kind, fmt::format("cannot write the image: extended attribute {}", what));
}

/// A path of the inode, cut where it is long. For messages alone: it searches the tree.
std::string path_of(const tree::Inode& root, const tree::Inode& wanted) {
  constexpr std::size_t kMax = 200;  // bytes
  std::vector<std::pair<const tree::Inode*, std::string>> pending{{&root, ""}};
  while (!pending.empty()) {
    const auto [inode, path] = std::move(pending.back());
    pending.pop_back();
    if (inode == &wanted)
      return path.empty() ? "/" : path.substr(0, kMax) + (path.size() > kMax ? "..." : "");
    for (const auto& [name, entry] : inode->entries)
      pending.emplace_back(entry.inode.get(), path + "/" + name);
  }
  return {};
}

Result<void> check(const tree::Xattr& xattr) {
  if (xattr.name.empty() || xattr.name.size() > kXattrNameMax)
    return bad_xattr(ErrorKind::limit,
                     fmt::format("with a name of {} bytes, want 1 to 255", xattr.name.size()));
  if (xattr.name.find('\0') != std::string::npos)
    return bad_xattr(ErrorKind::invalid_argument, "with a NUL in its name");
  if (xattr.value.size() > kXattrValueMax)
    return bad_xattr(ErrorKind::limit, fmt::format("{} of {} bytes, the maximum is {}", xattr.name,
                                                   xattr.value.size(), kXattrValueMax));
  return {};
}

}  // namespace

std::uint32_t Rewriter::mode(const Numbering::Node& node) const {
  const std::uint32_t mode = node.inode->attributes.mode;
  if (!Numbering::is_whiteout(*node.inode) || numbering_.is_root_whiteout(node)) return mode;
  return (mode & ~S_IFMT) | S_IFREG;
}

ImageInode Rewriter::inode(const Numbering::Node& node) const {
  ImageInode image{.attributes = node.inode->attributes};
  tree::Attributes& attributes = image.attributes;
  attributes.mode = mode(node);
  if (attributes.mode != node.inode->attributes.mode) {
    attributes.size = 0;  // a whiteout
  } else if (attributes.is_directory()) {
    attributes.nlink = 2 + numbering_.directory(node).subdirectories;
  } else if (attributes.is_symlink()) {
    attributes.size = node.inode->payload.size();
  } else if (attributes.is_regular() && attributes.size > 0) {
    image.content = node.inode->content;
    image.external = image.content.empty();
  }
  if (!attributes.is_device()) attributes.rdev = 0;
  return image;
}

Result<const std::vector<XattrView>*> Rewriter::xattrs(const Numbering::Node& node) {
  xattrs_.clear();
  renamed_.clear();
  total_ = kXattrTotalBase;
  TRY(copy_escaped(*node.inode));
  if (numbering_.is_root_whiteout(node)) return &xattrs_;

  const tree::Attributes& attributes = node.inode->attributes;
  if (attributes.is_regular() && attributes.size > 0 && node.inode->content.empty())
    add_object(*node.inode);
  if (Numbering::is_whiteout(*node.inode)) {
    set(kEscapedWhiteout, "");
    set(kUserWhiteout, "");
  }
  if (attributes.is_directory() && numbering_.directory(node).has_whiteouts) {
    set(kEscapedWhiteouts, "");
    set(kUserWhiteouts, "");
    if (format_version_ >= 1) {
      set(kEscapedOpaque, "x");
      set(kUserOpaque, "x");
    }
  }
  if (node.inode == numbering_.nodes().front().inode) set(kOpaque, "y");

  if (!xattrs_.empty() && total_ > kXattrTotalMax)
    return bad_xattr(
        ErrorKind::limit,
        fmt::format("sizes of {} add up to {} bytes with the image's own, the maximum is {}",
                    path_of(*numbering_.nodes().front().inode, *node.inode), total_,
                    kXattrTotalMax));
  std::sort(xattrs_.begin(), xattrs_.end(),
            [](const XattrView& a, const XattrView& b) { return a.name < b.name; });
  return &xattrs_;
}

Result<void> Rewriter::copy_escaped(const tree::Inode& inode) {
  for (const tree::Xattr& xattr : inode.xattrs) {
    TRY(check(xattr));
    // The limit holds for names before they are escaped.
    total_ += kXattrTotalEach + xattr.name.size() + xattr.value.size();
    std::string_view name = xattr.name;
    if (name.starts_with(kOverlayPrefix)) {
      name = renamed_.emplace_back(std::string(kEscapedPrefix) +
                                   xattr.name.substr(kOverlayPrefix.size()));
    }
    xattrs_.push_back({name, xattr.value});
  }
  return {};
}

void Rewriter::add_object(const tree::Inode& inode) {
  std::size_t length = 0;
  if (inode.digest) {
    const ByteSpan digest = inode.digest->bytes();
    length = sizeof(RawMetacopy) + digest.size();
    const RawMetacopy raw{.length = static_cast<std::uint8_t>(length),
                          .hash_algorithm = static_cast<std::uint8_t>(inode.digest->algorithm())};
    std::memcpy(metacopy_.data(), &raw, sizeof raw);
    std::memcpy(metacopy_.data() + sizeof raw, digest.data(), digest.size());
  }
  set(kMetacopy, {metacopy_.data(), length});
  if (inode.payload.empty()) return;
  redirect_ = '/';
  redirect_ += inode.payload;
  set(kRedirect, redirect_);
}

void Rewriter::set(std::string_view name, std::string_view value) {
  for (XattrView& xattr : xattrs_) {
    if (xattr.name != name) continue;
    total_ = total_ - xattr.value.size() + value.size();
    xattr.value = value;
    return;
  }
  total_ += kXattrTotalEach + name.size() + value.size();
  xattrs_.push_back({name, value});
}

}  // namespace intact::composefs
