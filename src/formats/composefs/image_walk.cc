#include "image_walk.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <fmt/format.h>

#include "format.h"
#include "overlay_view.h"

namespace intact::composefs {
namespace {

Error malformed(std::string_view what) {
  return Error(ErrorKind::malformed, fmt::format("composefs image: {}", what));
}

struct Child {
  std::string name;
  std::uint64_t nid;
  erofs::FileType type;
};

struct Level {
  std::vector<Child> children;
  std::size_t next = 0;
  std::uint64_t nid = 0;
  std::size_t path_length = 0;  ///< of the directory's path, without a slash at the end
};

/// A set of numbers that are mostly close to each other. Takes memory for what is in it, not for
/// the size that an image claims to have.
class NumberSet {
 public:
  /// False if it is in the set already.
  bool add(std::uint64_t number) {
    std::uint64_t& word = words_[number / 64];
    const std::uint64_t bit = std::uint64_t{1} << number % 64;
    const bool added = (word & bit) == 0;
    word |= bit;
    return added;
  }

 private:
  std::unordered_map<std::uint64_t, std::uint64_t> words_;
};

class Walk {
 public:
  Walk(const erofs::Image& image, const ReadOptions& options, const WalkVisit& visit)
      : image_(image),
        visit_(visit),
        toplevel_(options.toplevel_entries.begin(), options.toplevel_entries.end()),
        directory_bytes_left_(image.superblock().size) {}

  Result<void> run() {
    const erofs::Inode root = TRY(image_.inode(image_.root()));
    if (!root.is_directory()) return malformed("its root is not a directory");
    seen_.add(root.nid);
    const std::string root_path = "/";
    if (!TRY(visit_({root_path, {}, 0, root, false}))) return {};
    TRY(enter(root, root.nid));
    while (!levels_.empty()) {
      if (!TRY(step())) return {};
    }
    return {};
  }

 private:
  Result<bool> step() {
    Level& level = levels_.back();
    path_.resize(level.path_length);
    if (level.next == level.children.size()) {
      levels_.pop_back();
      return true;
    }
    const Child child = std::move(level.children[level.next++]);
    if (levels_.size() == 1 && !toplevel_.empty() && !toplevel_.contains(child.name)) return true;
    path_ += '/';
    path_ += child.name;
    if (path_.size() > kPathMax)
      return Error(ErrorKind::limit, "composefs image: paths are too long");

    const erofs::Inode inode = TRY(image_.inode(child.nid).context(path_));
    if (erofs::file_type_of(inode.attributes.mode) != child.type)
      return malformed(fmt::format("{} is its type differs from that in its directory", path_));
    if (is_real_whiteout(inode)) return true;
    const bool seen = !seen_.add(inode.nid);
    if (seen && inode.is_directory())
      return malformed(fmt::format("directory {} has a second name", path_));
    if (!TRY(visit_({path_, child.name, levels_.size(), inode, seen}))) return false;
    if (inode.is_directory()) TRY(enter(inode, level.nid));
    return true;
  }

  Result<void> enter(const erofs::Inode& directory, std::uint64_t parent) {
    // Every byte of an honest image belongs to one directory at most.
    if (directory.attributes.size > directory_bytes_left_)
      return malformed("directories share their entries");
    directory_bytes_left_ -= directory.attributes.size;

    Level level{.nid = directory.nid, .path_length = path_.size()};
    bool has_self = false;
    bool has_parent = false;
    TRY(image_.list(directory, 0, [&](const erofs::Dirent& entry, std::uint64_t) -> Result<bool> {
      if (entry.name == ".")
        has_self = entry.nid == directory.nid;
      else if (entry.name == "..")
        has_parent = entry.nid == parent;
      else
        level.children.push_back({std::string(entry.name), entry.nid, entry.type});
      return true;
    }));
    if (!has_self || !has_parent)
      return malformed(fmt::format("directory {}/ has a wrong or missing '.' or '..'", path_));
    levels_.push_back(std::move(level));
    return {};
  }

  const erofs::Image& image_;
  const WalkVisit& visit_;
  std::unordered_set<std::string> toplevel_;
  std::uint64_t directory_bytes_left_;
  NumberSet seen_;  ///< nids
  std::string path_;
  std::vector<Level> levels_;
};

}  // namespace

Result<void> walk_image(const erofs::Image& image, const ReadOptions& options,
                        const WalkVisit& visit) {
  return Walk(image, options, visit).run();
}

}  // namespace intact::composefs
