#include "numbering.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <intact/erofs/format.h>

#include "format.h"
#include "layout.h"

namespace intact::composefs {
namespace {

using WhiteoutNames = std::array<std::array<char, 2>, 256>;

constexpr WhiteoutNames make_whiteout_names() {
  constexpr std::string_view digits = "0123456789abcdef";
  WhiteoutNames names{};
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = {digits[i / 16], digits[i % 16]};
  return names;
}

constexpr WhiteoutNames kWhiteoutNames = make_whiteout_names();

Error invalid(std::string_view what) {
  return Error(ErrorKind::invalid_argument, fmt::format("cannot write the image: {}", what));
}

Error over_limit(std::string_view what) {
  return Error(ErrorKind::limit, fmt::format("cannot write the image: {}", what));
}

Result<void> check_name(std::string_view name) {
  if (name.empty() || name.size() > erofs::kNameMax)
    return invalid(fmt::format("file name of {} bytes, want 1 to 255", name.size()));
  if (name == "." || name == ".." || name.find('/') != std::string_view::npos ||
      name.find('\0') != std::string_view::npos)
    return invalid(fmt::format("'{}' cannot be a file name", name));
  return {};
}

Result<void> check_inode(std::string_view name, const tree::Inode& inode) {
  const tree::Attributes& attributes = inode.attributes;
  if (erofs::file_type_of(attributes.mode) == erofs::FileType::unknown || attributes.mode > 0177777)
    return invalid(fmt::format("'{}' has the impossible mode {:o}", name, attributes.mode));
  if (attributes.mtime.nanoseconds >= 1'000'000'000)
    return invalid(fmt::format("'{}' has a time with too many nanoseconds", name));
  if (!attributes.is_directory() && !inode.entries.empty())
    return invalid(fmt::format("'{}' has entries but is not a directory", name));
  if (attributes.is_symlink()) {
    if (inode.payload.empty() || inode.payload.find('\0') != std::string::npos)
      return invalid(fmt::format("'{}' is a symlink without a usable target", name));
    if (inode.payload.size() > kPayloadMax)
      return over_limit(fmt::format("target of symlink '{}' has {} bytes, the maximum is {}", name,
                                    inode.payload.size(), kPayloadMax));
  }
  if (!attributes.is_regular()) return {};
  if (!inode.content.empty()) {
    if (inode.content.size() != attributes.size)
      return invalid(fmt::format("'{}' has {} bytes of content but size {}", name,
                                 inode.content.size(), attributes.size));
    if (inode.content.size() > kContentMax)
      return over_limit(fmt::format("'{}' has {} bytes of inline content, the maximum is {}", name,
                                    inode.content.size(), kContentMax));
  } else if (attributes.size > 0) {
    if (chunk_count(attributes.size) > kChunksMax)
      return over_limit(fmt::format("'{}' is too big ({} bytes)", name, attributes.size));
    if (inode.payload.size() > kPayloadMax)
      return over_limit(fmt::format("payload of '{}' has {} bytes, the maximum is {}", name,
                                    inode.payload.size(), kPayloadMax));
    if (inode.payload.find('\0') != std::string::npos)
      return invalid(fmt::format("payload of '{}' holds a NUL", name));
  }
  return {};
}

}  // namespace

std::string_view root_whiteout_name(unsigned index) {
  return {kWhiteoutNames[index].data(), kWhiteoutNames[index].size()};
}

Result<Numbering> Numbering::create(const tree::Tree& tree) {
  const tree::Inode& root = tree.root();
  TRY(check_inode("/", root));
  if (!root.attributes.is_directory()) return invalid("the root is not a directory");

  auto whiteout = std::make_unique<tree::Inode>();
  whiteout->attributes = root.attributes;
  whiteout->attributes.mode = S_IFCHR | 0644;
  whiteout->attributes.nlink = 1;
  whiteout->attributes.rdev = 0;
  whiteout->attributes.size = 0;
  if (const tree::Xattr* label = root.find_xattr(kSelinux)) whiteout->xattrs.push_back(*label);

  Numbering numbering;
  numbering.root_whiteout_ = std::move(whiteout);
  numbering.earliest_ = root.attributes.mtime;
  numbering.directories_.push_back({.parent = 0, .first_child = 0});
  numbering.nodes_.push_back({.inode = &root, .directory = 0});
  // The list of nodes is its own queue: what is appended is visited later.
  for (std::size_t i = 0; i < numbering.nodes_.size(); ++i) {
    if (numbering.nodes_[i].directory != kNoDirectory)
      TRY(numbering.add_children(static_cast<NodeNumber>(i)));
  }
  TRY(numbering.find_link_targets());
  return numbering;
}

NodeNumber Numbering::append(const tree::Inode& inode) {
  earliest_ = std::min(earliest_, inode.attributes.mtime);
  nodes_.push_back({.inode = &inode});
  return static_cast<NodeNumber>(nodes_.size() - 1);
}

Result<void> Numbering::add_children(NodeNumber number) {
  const tree::Inode& inode = *nodes_[number].inode;
  directories_[nodes_[number].directory].first_child = static_cast<NodeNumber>(nodes_.size());
  if (nodes_.size() + inode.entries.size() + 256 >= UINT32_MAX) return over_limit("too many files");
  Result<void> outcome;
  merge_names(inode, number == 0,
              [&](std::string_view name, Child child, const tree::Entry* entry) {
                if (!outcome) return;
                if (child == Child::whiteout) append(*root_whiteout_);
                if (child == Child::entry) outcome = add_child(number, name, *entry);
              });
  return outcome;
}

Result<void> Numbering::add_child(NodeNumber parent, std::string_view name,
                                  const tree::Entry& entry) {
  TRY(check_name(name));
  if (!entry.inode) return invalid(fmt::format("'{}' has no inode", name));
  const tree::Inode& inode = *entry.inode;
  if (entry.hard_link) {
    if (inode.attributes.is_directory())
      return invalid(fmt::format("'{}' is a hard link to a directory", name));
    link_targets_.emplace(&inode, 0);
    return {};
  }
  TRY(check_inode(name, inode));
  const NodeNumber number = append(inode);
  if (inode.attributes.is_directory()) {
    nodes_[number].directory = static_cast<std::uint32_t>(directories_.size());
    ++directories_[nodes_[parent].directory].subdirectories;
    directories_.push_back({.parent = parent, .first_child = 0});
  } else if (is_whiteout(inode)) {
    directories_[nodes_[parent].directory].has_whiteouts = true;
    has_whiteouts_ = true;
  }
  return {};
}

Result<void> Numbering::find_link_targets() {
  if (link_targets_.empty()) return {};
  std::size_t found = 0;
  for (std::size_t i = 1; i < nodes_.size(); ++i) {
    const auto it = link_targets_.find(nodes_[i].inode);
    if (it == link_targets_.end()) continue;
    if (it->second != 0) return invalid("a hard-linked file has two primary names");
    it->second = static_cast<NodeNumber>(i);
    ++found;
  }
  if (found != link_targets_.size())
    return invalid("a hard link refers to a file outside the tree");
  return {};
}

}  // namespace intact::composefs
