#include "canonical_tree.h"

#include <algorithm>
#include <utility>

#include <intact/base/visible.h>
#include <intact/composefs/scan.h>

namespace intact::image {
namespace {

using oci::TarType;

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::string_view kCapability = "security.capability";

Error refused(std::string_view path, std::string_view why) {
  constexpr std::size_t kMax = 200;  // bytes
  return Error(
      ErrorKind::unsupported,
      visible(path.substr(0, kMax)) + (path.size() > kMax ? "..." : "") + ": " + std::string(why));
}

Result<std::vector<std::string_view>> split(std::string_view path) {
  std::vector<std::string_view> names;
  for (std::string_view rest = path; !rest.empty();) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view name = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (name.empty() || name == ".") continue;
    if (name == "..") return refused(path, "'..' in a path");
    names.push_back(name);
  }
  return names;
}

tree::InodePtr inode_of(const oci::TarEntry& entry) {
  auto inode = std::make_shared<tree::Inode>();
  tree::Attributes& attributes = inode->attributes;
  attributes.mode = oci::file_type(entry.type) | entry.mode;
  attributes.uid = entry.uid;
  attributes.gid = entry.gid;
  attributes.rdev = entry.rdev;
  attributes.mtime = entry.mtime;
  attributes.size = entry.type == TarType::symlink ? entry.link.size() : entry.size;
  for (const tree::Xattr& xattr : entry.xattrs)
    if (xattr.name != kCapability || entry.has_schily_capability) inode->xattrs.push_back(xattr);
  if (entry.type == TarType::symlink) inode->payload = entry.link;
  return inode;
}

bool is_whiteout(const tree::Inode& inode) {
  return S_ISCHR(inode.attributes.mode) && inode.attributes.rdev == 0;
}

bool is_kept(const tree::Xattr& xattr, CanonicalRules::Xattrs rule) {
  switch (rule) {
    case CanonicalRules::Xattrs::capability:
      return xattr.name == kCapability;
    case CanonicalRules::Xattrs::user_too:
      return xattr.name == kCapability || xattr.name.starts_with("user.");
    case CanonicalRules::Xattrs::all:
      break;
  }
  return true;
}

}  // namespace

void CanonicalTree::entry(const oci::TarEntry& entry) {
  last_.reset();
  if (refusal_) return;
  if (auto applied = apply(entry); !applied) refusal_ = std::move(applied).error();
}

void CanonicalTree::content(const tree::InodePtr& inode) {
  if (last_) contents_[last_.get()] = inode;
  last_.reset();
}

Result<tree::Inode*> CanonicalTree::directory(const std::vector<std::string_view>& names) {
  tree::Inode* at = &raw_.root();
  std::string path;
  for (const std::string_view name : names) {
    path += "/" + std::string(name);
    const auto it = at->entries.find(name);
    if (it == at->entries.end()) return refused(path, "no entry describes this directory");
    at = it->second.inode.get();
    if (!at->attributes.is_directory())
      return refused(path, "a " + std::string(tree::type_name(at->attributes.mode)) +
                               " is the parent of an entry");
  }
  return at;
}

Result<void> CanonicalTree::apply(const oci::TarEntry& entry) {
  if (entry.is_sparse) return refused(entry.path, "a sparse file");
  std::vector<std::string_view> names = TRY(split(entry.path));
  if (names.empty()) {
    if (entry.type != TarType::directory) return refused("/", "not a directory");
    const tree::InodePtr root = inode_of(entry);
    raw_.root().attributes = root->attributes;
    raw_.root().xattrs = std::move(root->xattrs);
    return {};
  }
  tree::Entry made;
  if (entry.type == TarType::hard_link) {
    std::vector<std::string_view> target = TRY(split(entry.link));
    if (target.empty()) return refused(entry.path, "a hard link to the root");
    const std::string_view name = target.back();
    target.pop_back();
    const tree::Inode& parent = *TRY(directory(target));
    const auto found = parent.entries.find(name);
    if (found == parent.entries.end() || found->second.inode->attributes.is_directory())
      return refused(entry.path, "a hard link to what is not a file");
    made = {found->second.inode, true};
  } else {
    made = {inode_of(entry), false};
    if (entry.type == TarType::regular) last_ = made.inode;
  }

  const std::string_view name = names.back();
  names.pop_back();
  tree::Entries& entries = TRY(directory(names))->entries;
  if (name == kOpaque) {
    for (auto& [hidden, old] : entries) replaced_.push_back(std::move(old.inode));
    entries.clear();
  } else if (name.starts_with(kWhiteout)) {
    if (const auto old = entries.find(name.substr(kWhiteout.size())); old != entries.end()) {
      replaced_.push_back(std::move(old->second.inode));
      entries.erase(old);
    }
  } else if (const auto old = entries.find(name); old == entries.end()) {
    entries.emplace(name, std::move(made));
  } else if (made.inode->attributes.is_directory() &&
             old->second.inode->attributes.is_directory()) {
    old->second.inode->attributes = made.inode->attributes;
    old->second.inode->xattrs = std::move(made.inode->xattrs);
  } else {
    replaced_.push_back(std::exchange(old->second.inode, std::move(made.inode)));
  }
  return {};
}

tree::InodePtr CanonicalTree::make_copy(const tree::Inode& inode, const CanonicalRules& rules,
                                        const Sha512Digests* sha512) const {
  auto copy = std::make_shared<tree::Inode>();
  copy->attributes = inode.attributes;
  copy->payload = inode.payload;
  for (const tree::Xattr& xattr : inode.xattrs)
    if (is_kept(xattr, rules.xattrs)) copy->xattrs.push_back(xattr);
  if (inode.attributes.is_symlink() && !rules.symlink_modes) copy->attributes.mode = S_IFLNK | 0777;
  if (const auto found = contents_.find(&inode); found != contents_.end()) {
    const tree::Inode& source = *found->second;
    copy->content = source.content;
    copy->payload = source.payload;
    copy->digest = source.digest;
    if (const Digest* digest = sha512 ? sha512->find(source) : nullptr) {
      copy->digest = *digest;
      copy->payload = composefs::object_path(*digest);
    }
  }
  return copy;
}

Result<tree::Tree> CanonicalTree::tree(const CanonicalRules& rules,
                                       const Sha512Digests* sha512) const {
  if (refusal_) return *refusal_;
  const auto usr = raw_.root().entries.find("usr");
  if (usr == raw_.root().entries.end() || !usr->second.inode->attributes.is_directory())
    return refused("/usr", "the image has no such directory, which the root is described by");
  tree::Tree tree;
  std::unordered_map<const tree::Inode*, tree::InodePtr> copies;
  std::vector<std::pair<const tree::Inode*, tree::Inode*>> pending;
  {
    const tree::InodePtr root =
        make_copy(rules.root_from_usr ? *usr->second.inode : raw_.root(), rules, sha512);
    tree.root().attributes = root->attributes;
    tree.root().xattrs = std::move(root->xattrs);
  }
  pending.emplace_back(&raw_.root(), &tree.root());
  while (!pending.empty()) {
    const auto [from, to] = pending.back();
    pending.pop_back();
    for (const auto& [name, entry] : from->entries) {
      const tree::Inode& inode = *entry.inode;
      const bool has_names = entry.inode.use_count() > 1;  // most files have one
      if (is_whiteout(inode) && (has_names || (from == &raw_.root() && name.size() == 2)))
        return refused(name, "a device 0:0 that tools write in different ways");
      tree::InodePtr alone;
      tree::InodePtr& copy = has_names ? copies[&inode] : alone;
      if (!copy) {
        copy = make_copy(inode, rules, sha512);
        const bool is_run = rules.empty_run && from == &raw_.root() && name == "run" &&
                            inode.attributes.is_directory();
        if (is_run) copy->attributes.mtime = usr->second.inode->attributes.mtime;
        if (!is_run && !inode.entries.empty()) pending.emplace_back(&inode, copy.get());
      }
      to->entries.emplace_hint(to->entries.end(), name, tree::Entry{copy});
    }
  }
  copies.clear();
  tree.normalize_links();
  return tree;
}

}  // namespace intact::image
