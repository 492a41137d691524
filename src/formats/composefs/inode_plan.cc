#include "inode_plan.h"

#include <fmt/format.h>

#include <intact/erofs/format.h>
#include <intact/erofs/xattr.h>

#include "format.h"
#include "shared_xattrs.h"

namespace intact::composefs {

std::size_t InodePlan::head() const {
  return (extended ? sizeof(erofs::RawInodeExtended) : sizeof(erofs::RawInodeCompact)) + xattr_area;
}

Result<InodePlan> InodePlanner::next(NodeNumber number, const InodeSize* known) {
  const Numbering::Node& node = numbering_.nodes()[number];
  InodePlan plan{.inode = rewriter_.inode(node), .xattrs = TRY(rewriter_.xattrs(node))};
  tree::Attributes& attributes = plan.inode.attributes;

  const std::size_t count = plan.xattrs->size();
  plan.places = places_.first(count);
  places_ = places_.subspan(count);
  std::size_t own_size = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (plan.places[i] != SharedXattrs::kNotShared) {
      if (plan.shared_count < SharedXattrs::kMaxPerInode) {
        ++plan.shared_count;
        continue;
      }
      own_places_.assign(plan.places.begin(), plan.places.end());
      std::fill(own_places_.begin() + static_cast<std::ptrdiff_t>(i), own_places_.end(),
                SharedXattrs::kNotShared);
      plan.places = own_places_;
    }
    const XattrView& xattr = (*plan.xattrs)[i];
    own_size += erofs::xattr_entry_size(xattr.name, xattr.value.size());
  }
  if (count != 0)
    plan.xattr_area = sizeof(erofs::RawXattrHeader) + plan.shared_count * sizeof(le32) + own_size;
  if (erofs::xattr_icount(plan.xattr_area) > UINT16_MAX)
    return Error(ErrorKind::limit,
                 "cannot write the image: the extended attributes of a file are too large");

  plan.parts = known ? SizeParts{.blocks = known->blocks, .tail = known->tail}
                     : parts_of(plan.inode, number);
  if (attributes.is_directory())
    attributes.size = plan.parts.blocks * erofs::kBlockSize + plan.parts.tail;
  plan.extended = attributes.mtime != numbering_.earliest_mtime() ||
                  attributes.nlink > UINT16_MAX || attributes.uid > UINT16_MAX ||
                  attributes.gid > UINT16_MAX || attributes.size > UINT32_MAX;
  return plan;
}

SizeParts InodePlanner::parts_of(const ImageInode& inode, NodeNumber number) const {
  const tree::Attributes& attributes = inode.attributes;
  if (attributes.is_directory()) return directory_parts(number);
  if (attributes.is_symlink()) return {.tail = static_cast<std::uint32_t>(attributes.size)};
  if (inode.external)
    return {.tail = static_cast<std::uint32_t>(chunk_count(attributes.size) * sizeof(le32))};
  if (attributes.is_regular()) return content_parts(attributes.size);
  return {};
}

SizeParts InodePlanner::directory_parts(NodeNumber number) const {
  DirectoryPacker packer;
  merge_names(*numbering_.nodes()[number].inode, number == 0,
              [&](std::string_view name, Child, const tree::Entry*) { packer.add(name.size()); });
  return packer.parts();
}

}  // namespace intact::composefs
