#include <algorithm>
#include <unordered_map>

#include <intact/tree/tree.h>

namespace intact::tree {

const Xattr* Inode::find_xattr(std::string_view name) const {
  const auto it =
      std::find_if(xattrs.begin(), xattrs.end(), [&](const Xattr& x) { return x.name == name; });
  return it == xattrs.end() ? nullptr : &*it;
}

void Inode::set_xattr(std::string_view name, std::string_view value) {
  for (Xattr& xattr : xattrs) {
    if (xattr.name == name) {
      xattr.value = value;
      return;
    }
  }
  xattrs.push_back({std::string(name), std::string(value)});
}

Tree::Tree() : root_(std::make_shared<Inode>()) {
  root_->attributes.mode = S_IFDIR | 0755;
  root_->attributes.nlink = 2;
}

Tree::~Tree() {
  if (!root_) return;
  // Taken apart level by level: destruction must not recurse once per level of a hostile tree.
  std::vector<Entries> pending;
  pending.push_back(std::move(root_->entries));
  while (!pending.empty()) {
    Entries entries = std::move(pending.back());
    pending.pop_back();
    for (auto& [name, entry] : entries) {
      if (entry.inode && !entry.inode->entries.empty())
        pending.push_back(std::move(entry.inode->entries));
    }
  }
}

InodePtr Tree::find(std::string_view path) const {
  InodePtr at = root_;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (name.empty() || name == ".") continue;
    const auto it = at->entries.find(name);
    if (it == at->entries.end()) return nullptr;
    at = it->second.inode;
  }
  return at;
}

Result<void> Tree::walk(
    const std::function<Result<void>(const std::string&, const Entry&)>& visit) const {
  TRY(visit("/", Entry{root_}));
  struct Level {
    const Inode* directory;
    Entries::const_iterator next;
    std::size_t path_length;
  };
  std::string path;
  std::vector<Level> levels{{root_.get(), root_->entries.begin(), 0}};
  while (!levels.empty()) {
    Level& level = levels.back();
    path.resize(level.path_length);
    if (level.next == level.directory->entries.end()) {
      levels.pop_back();
      continue;
    }
    const auto& [name, entry] = *level.next++;
    path += '/';
    path += name;
    TRY(visit(path, entry));
    if (entry.inode->attributes.is_directory())
      levels.push_back({entry.inode.get(), entry.inode->entries.begin(), path.size()});
  }
  return {};
}

void Tree::normalize_links() {
  // Only inodes with several names are remembered: use_count tells them apart for free.
  std::unordered_map<Inode*, std::uint32_t> names;
  struct Level {
    Inode* directory;
    Entries::iterator next;
  };
  root_->attributes.nlink = 2;
  std::vector<Level> levels{{root_.get(), root_->entries.begin()}};
  while (!levels.empty()) {
    Level& level = levels.back();
    if (level.next == level.directory->entries.end()) {
      levels.pop_back();
      continue;
    }
    Inode* parent = level.directory;
    Entry& entry = (level.next++)->second;
    Inode& inode = *entry.inode;
    if (inode.attributes.is_directory()) {
      entry.hard_link = false;
      ++parent->attributes.nlink;
      inode.attributes.nlink = 2;
      levels.push_back({&inode, inode.entries.begin()});
    } else if (entry.inode.use_count() == 1) {
      entry.hard_link = false;
      inode.attributes.nlink = 1;
    } else {
      const std::uint32_t count = ++names[&inode];
      entry.hard_link = count > 1;
      inode.attributes.nlink = count;
    }
  }
}

std::string_view type_name(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "regular file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symbolic link";
    case S_IFCHR:
      return "character device";
    case S_IFBLK:
      return "block device";
    case S_IFIFO:
      return "FIFO";
    case S_IFSOCK:
      return "socket";
    default:
      return "file of unknown type";
  }
}

}  // namespace intact::tree
