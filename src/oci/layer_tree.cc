#include "layer_tree.h"

#include <utility>

namespace intact::oci {

using tree::Entry;
using tree::Inode;
using tree::InodePtr;

namespace {

InodePtr entry_of(const Inode& directory, std::string_view name) {
  const auto it = directory.entries.find(name);
  return it == directory.entries.end() ? nullptr : it->second.inode;
}

/// Puts the components of a symlink's target on top of `rest`, whose back is what comes next.
void push_target(std::vector<std::string>& rest, std::string_view target) {
  while (!target.empty()) {
    const std::size_t slash = target.rfind('/');
    const std::string_view last =
        slash == std::string_view::npos ? target : target.substr(slash + 1);
    if (!last.empty() && last != ".") rest.emplace_back(last);
    target = target.substr(0, slash == std::string_view::npos ? 0 : slash);
  }
}

void copy_description(Inode& to, Inode&& from) {
  to.attributes = from.attributes;
  to.xattrs = std::move(from.xattrs);
}

}  // namespace

Error path_too_long(std::uint32_t limit) {
  return Error(ErrorKind::limit,
               "its path from / on, symbolic links resolved, is over the limit of " +
                   std::to_string(limit) + " bytes");
}

LayerTree::LayerTree(tree::Tree& lower, const Limits& limits) : lower_(lower), limits_(limits) {
  marks_[&upper_.root()].implicit = true;
}

std::string LayerTree::Directory::path() const {
  std::string path;
  for (const std::string& name : names) path += "/" + name;
  return path.empty() ? "/" : path;
}

const LayerTree::Marks* LayerTree::marks(const Inode* directory) const {
  const auto it = marks_.find(directory);
  return it == marks_.end() ? nullptr : &it->second;
}

/// The directory `name` in `place`, as a place; whatever file is to be seen there in `visible`.
LayerTree::Place LayerTree::child(const Place& place, std::string_view name,
                                  InodePtr* visible) const {
  InodePtr upper = place.upper ? entry_of(*place.upper, name) : nullptr;
  InodePtr lower;
  if (place.lower && !(upper && !upper->attributes.is_directory())) {
    const Marks* m = place.upper ? marks(place.upper) : nullptr;
    if (!m || (!m->opaque && !m->whiteouts.contains(name))) lower = entry_of(*place.lower, name);
  }
  if (upper && lower) {
    const Marks* m = marks(upper.get());
    if (!lower->attributes.is_directory() || (m && m->opaque)) lower = nullptr;
  }
  const auto directory_or_null = [](const InodePtr& inode) {
    return inode && inode->attributes.is_directory() ? inode.get() : nullptr;
  };
  const Place result{directory_or_null(upper), directory_or_null(lower)};
  if (visible) *visible = upper ? std::move(upper) : std::move(lower);
  return result;
}

Result<LayerTree::Directory> LayerTree::resolve(const std::vector<std::string>& components) {
  ++resolved_;
  Directory at;
  at.places.push_back({const_cast<Inode*>(&upper_.root()), &lower_.root()});
  std::vector<std::string> rest(components.rbegin(), components.rend());
  std::uint32_t symlinks = 0;
  std::size_t path_bytes = 0;
  while (!rest.empty()) {
    std::string name = std::move(rest.back());
    rest.pop_back();
    if (name == "..") {  // only symlinks bring these; at the root they lead nowhere
      if (at.names.empty()) continue;
      path_bytes -= at.names.back().size() + 1;
      at.names.pop_back();
      at.places.pop_back();
      continue;
    }
    InodePtr visible;
    const Place place = child(at.places.back(), name, &visible);
    if (visible && visible->attributes.is_symlink()) {
      if (++symlinks > limits_.symlinks)
        return Error(ErrorKind::malformed, "its parent leads through more than " +
                                               std::to_string(limits_.symlinks) +
                                               " symbolic links");
      if (visible->payload.starts_with('/')) {
        at.names.clear();
        at.places.resize(1);
        path_bytes = 0;
      }
      const std::size_t before = rest.size();
      push_target(rest, visible->payload);
      target_components_ += rest.size() - before;
      if (target_components_ > kTargetComponents + kTargetComponentsOfAPath * resolved_)
        return Error(ErrorKind::limit,
                     "its parent leads through symbolic links, and those of the layer have more "
                     "components than is reasonable for so few paths");
      continue;
    }
    if (visible && !visible->attributes.is_directory())
      return Error(ErrorKind::malformed,
                   "its parent " + (at.names.empty() ? "" : at.path()) + "/" + name + " is a " +
                       std::string(tree::type_name(visible->attributes.mode)));
    path_bytes += name.size() + 1;
    at.names.push_back(std::move(name));
    at.places.push_back(place);
    // One more for the file itself.
    if (path_bytes + 1 > limits_.path_bytes) return path_too_long(limits_.path_bytes);
    if (at.names.size() >= limits_.depth)
      return Error(ErrorKind::limit,
                   "nested deeper than the limit of " + std::to_string(limits_.depth));
  }
  return at;
}

InodePtr LayerTree::find(const Directory& directory, std::string_view name) const {
  InodePtr visible;
  child(directory.places.back(), name, &visible);
  return visible;
}

/// The directory's part in this layer, made where it is missing together with its parents.
Inode& LayerTree::materialize(Directory& directory) {
  for (std::size_t i = 0; i < directory.names.size(); ++i) {
    Place& place = directory.places[i + 1];
    if (place.upper) continue;
    auto inode = std::make_shared<Inode>();
    inode->attributes.mode = S_IFDIR | 0755;
    inode->attributes.nlink = 2;
    marks_[inode.get()].implicit = true;
    ++implied_;
    place.upper = inode.get();
    directory.places[i].upper->entries.insert_or_assign(directory.names[i],
                                                        Entry{std::move(inode)});
  }
  return *directory.places.back().upper;
}

LayerTree::Added LayerTree::set_root(Inode attributes) {
  copy_description(upper_.root(), std::move(attributes));
  return std::exchange(marks_[&upper_.root()].implicit, false) ? Added::fresh : Added::duplicate;
}

LayerTree::Added LayerTree::add(Directory& directory, const std::string& name, Entry entry) {
  Inode& parent = materialize(directory);
  const auto old = parent.entries.find(name);
  if (old == parent.entries.end()) {
    parent.entries.emplace(name, std::move(entry));
    return Added::fresh;
  }
  Inode& before = *old->second.inode;
  const bool is_directory = entry.inode->attributes.is_directory();
  if (is_directory && before.attributes.is_directory()) {
    copy_description(before, std::move(*entry.inode));
    const auto m = marks_.find(&before);
    const bool implicit = m != marks_.end() && std::exchange(m->second.implicit, false);
    return implicit ? Added::fresh : Added::duplicate;
  }
  // The earlier entry has already taken the place of what lower layers had there.
  if (is_directory) marks_[entry.inode.get()].opaque = true;
  replaced_.push_back(std::exchange(old->second.inode, entry.inode));
  old->second.hard_link = entry.hard_link;
  return Added::duplicate;
}

void LayerTree::white_out(Directory& directory, const std::string& name) {
  const Inode* lower = directory.places.back().lower;
  if (lower && lower->entries.contains(name))
    marks_[&materialize(directory)].whiteouts.insert(name);
}

void LayerTree::make_opaque(Directory& directory) {
  if (directory.places.back().lower) marks_[&materialize(directory)].opaque = true;
}

void LayerTree::merge() {
  std::vector<std::pair<Inode*, Inode*>> pending{{&upper_.root(), &lower_.root()}};
  std::vector<InodePtr> done;  // merged directories, emptied: their addresses are still keys
  while (!pending.empty()) {
    const auto [upper, lower] = pending.back();
    pending.pop_back();
    const Marks* m = marks(upper);
    if (m && m->opaque) {
      lower->entries.clear();
    } else if (m) {
      for (const std::string& name : m->whiteouts) lower->entries.erase(name);
    }
    if (!m || !m->implicit) copy_description(*lower, std::move(*upper));
    while (!upper->entries.empty()) {
      auto node = upper->entries.extract(upper->entries.begin());
      const auto old = lower->entries.find(node.key());
      if (old == lower->entries.end()) {
        lower->entries.insert(std::move(node));
        continue;
      }
      Entry& entry = node.mapped();
      const bool both =
          entry.inode->attributes.is_directory() && old->second.inode->attributes.is_directory();
      if (both) {
        pending.emplace_back(entry.inode.get(), old->second.inode.get());
        done.push_back(std::move(entry.inode));
      } else {
        old->second = std::move(entry);
      }
    }
  }
}

}  // namespace intact::oci
