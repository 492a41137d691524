#include <algorithm>
#include <map>
#include <optional>

#include <intact/base/visible.h>
#include <intact/oci/layer_applier.h>

#include "layer_tree.h"

namespace intact::oci {
namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kAufs = ".wh..wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
/// Where AUFS kept a file that had several names; the names are hard links to it.
constexpr std::string_view kPseudoLinks = ".wh..wh.plnk";

constexpr std::size_t kPiece = 256 * 1024;

Error malformed(std::string text) {
  return Error(ErrorKind::malformed, std::move(text));
}

/// A path or link of a layer, as messages show it.
std::string shown(std::string_view text) {
  constexpr std::size_t kMax = 200;  // bytes
  return visible(text.substr(0, kMax)) + (text.size() > kMax ? "..." : "");
}

tree::InodePtr make_inode(TarEntry&& entry) {
  auto inode = std::make_shared<tree::Inode>();
  tree::Attributes& attributes = inode->attributes;
  attributes.mode = file_type(entry.type) | (entry.type == TarType::symlink ? 0777 : entry.mode);
  attributes.nlink = entry.type == TarType::directory ? 2 : 1;
  attributes.uid = entry.uid;
  attributes.gid = entry.gid;
  attributes.rdev = entry.rdev;
  attributes.mtime = entry.mtime;
  attributes.size = entry.type == TarType::symlink ? entry.link.size() : entry.size;
  inode->xattrs = std::move(entry.xattrs);
  if (entry.type == TarType::symlink) inode->payload = std::move(entry.link);
  return inode;
}

}  // namespace

/// One layer while it is read.
class LayerApplier::Layer {
 public:
  Layer(LayerApplier& applier, ByteStream& tar)
      : applier_(applier),
        limits_(applier.limits_),
        reader_(tar, remaining(applier)),
        tree_(applier.tree_, {limits_.path_bytes, limits_.depth, limits_.symlinks}) {}

  Result<void> apply() {
    while (auto entry = TRY(reader_.next())) {
      path_ = entry->path;
      const std::uint64_t offset = entry->header_offset;
      auto applied = count(*entry);
      if (applied && applier_.observer_) applier_.observer_->entry(*entry);
      if (applied) applied = apply_entry(std::move(*entry));
      if (applied) applied = check_count();
      if (!applied)
        return std::move(applied).context("layer entry '" + shown(path_) + "' (at byte " +
                                          std::to_string(offset) + ")");
    }
    applier_.entries_ += tree_.implied();
    applier_.hole_bytes_ += reader_.hole_bytes();
    if (limits_.warn_without_end_mark && !reader_.has_end_mark())
      applier_.warnings_.emplace_back("the archive has no end mark, so its end may be missing");
    tree_.merge();
    return {};
  }

 private:
  /// The limits of the archive, less what earlier layers have used of those for all.
  static TarLimits remaining(const LayerApplier& applier) {
    TarLimits limits = applier.limits_.tar;
    limits.hole_bytes -= std::min(limits.hole_bytes, applier.hole_bytes_);
    return limits;
  }

  void warn(std::string_view text) {
    if (applier_.warnings_.size() == limits_.warnings)
      ++applier_.dropped_warnings_;
    else
      applier_.warnings_.push_back("layer entry '" + shown(path_) + "': " + std::string(text));
  }

  /// Adds up what the entry leaves in memory.
  Result<void> count(const TarEntry& entry) {
    ++applier_.entries_;
    applier_.metadata_bytes_ += entry.path.size() + entry.link.size();
    for (const tree::Xattr& xattr : entry.xattrs)
      applier_.metadata_bytes_ += tree::kXattrCost + xattr.name.size() + xattr.value.size();
    if (applier_.metadata_bytes_ > limits_.metadata_bytes)
      return Error(ErrorKind::limit,
                   "names, links and xattrs of the layers are over the limit of " +
                       std::to_string(limits_.metadata_bytes) + " bytes; raise --max-metadata");
    return {};
  }

  Result<void> check_count() const {
    if (applier_.entries_ + tree_.implied() > limits_.entries)
      return Error(ErrorKind::limit, "layers have more entries than the limit of " +
                                         std::to_string(limits_.entries) + "; raise --max-entries");
    return {};
  }

  Result<std::vector<std::string>> split(std::string_view path) const {
    std::vector<std::string> components;
    while (!path.empty()) {
      const std::size_t slash = std::min(path.find('/'), path.size());
      const std::string_view name = path.substr(0, slash);
      path.remove_prefix(std::min(slash + 1, path.size()));
      if (name.empty() || name == ".") continue;
      if (name == "..") return malformed("'..' in a path");
      if (name.size() > limits_.name_bytes)
        return Error(ErrorKind::limit, "a name of " + std::to_string(name.size()) +
                                           " bytes, the limit is " +
                                           std::to_string(limits_.name_bytes));
      components.emplace_back(name);
    }
    if (components.size() > limits_.depth)
      return Error(ErrorKind::limit,
                   "nested deeper than the limit of " + std::to_string(limits_.depth));
    return components;
  }

  Result<void> apply_entry(TarEntry&& entry) {
    std::vector<std::string> components = TRY(split(entry.path));
    if (components.empty()) return apply_root(std::move(entry));
    const auto marker = std::find_if(components.begin(), components.end(),
                                     [](const auto& name) { return name.starts_with(kWhiteout); });
    const std::string name = components.back();
    if (marker != components.end()) {
      const bool last = std::next(marker) == components.end();
      if (components.front() == kPseudoLinks) return keep_pseudo_link(std::move(entry), name);
      // AUFS's other files, and what is below them.
      if (marker->starts_with(kAufs) && !(last && name == kOpaque)) return {};
      if (!last) return malformed("a directory with the name of a whiteout");
      components.pop_back();
      return apply_whiteout(entry, components, name);
    }
    TRY(check_xattrs(entry));
    components.pop_back();
    LayerTree::Directory directory = TRY(tree_.resolve(components));
    if (directory.path().size() + 1 + name.size() > limits_.path_bytes)
      return path_too_long(limits_.path_bytes);
    tree::Entry made;
    if (entry.type == TarType::hard_link) {
      made = {TRY(find_target(entry.link, directory, name)), true};
    } else {
      const bool regular = entry.type == TarType::regular;
      made = {make_inode(std::move(entry)), false};
      if (regular) TRY(read_content(made.inode));
    }
    if (tree_.add(directory, name, std::move(made)) == LayerTree::Added::duplicate)
      warn("appears twice; the later one is used");
    return {};
  }

  /// The directory is left out, its regular files are what hard links of this layer may lead to.
  Result<void> keep_pseudo_link(TarEntry&& entry, const std::string& name) {
    if (entry.type != TarType::regular) return {};
    TRY(check_xattrs(entry));
    const tree::InodePtr inode = make_inode(std::move(entry));
    TRY(read_content(inode));
    pseudo_links_.insert_or_assign(name, inode);
    return {};
  }

  Result<void> apply_root(TarEntry&& entry) {
    if (entry.type != TarType::directory)
      return malformed("the root of the image must be a directory");
    TRY(check_xattrs(entry));
    if (tree_.set_root(*make_inode(std::move(entry))) == LayerTree::Added::duplicate)
      warn("appears twice; the later one is used");
    return {};
  }

  Result<void> apply_whiteout(const TarEntry& entry, const std::vector<std::string>& parent,
                              const std::string& name) {
    // AUFS made its whiteouts hard links without content.
    const bool plain = entry.type == TarType::regular || entry.type == TarType::hard_link;
    if (!plain || entry.size != 0) return malformed("a whiteout that is not an empty file");
    const std::string hidden = name.substr(kWhiteout.size());
    if (hidden.empty() || hidden == "." || hidden == "..")
      return malformed("a whiteout without a valid name");
    auto directory = tree_.resolve(parent);
    if (!directory) {
      // Below something that is not a directory there is nothing to hide.
      if (directory.error().kind() == ErrorKind::malformed) return {};
      return std::move(directory).error();
    }
    if (name == kOpaque) {
      tree_.make_opaque(*directory);
    } else {
      tree_.white_out(*directory, hidden);
    }
    return {};
  }

  Result<tree::InodePtr> find_target(const std::string& link, const LayerTree::Directory& directory,
                                     const std::string& name) {
    const std::string what = "a hard link to '" + shown(link) + "'";
    std::vector<std::string> components = TRY(split(link).context(what));
    if (components.empty()) return malformed(what + ", which is a directory");
    if (components.front() == kPseudoLinks) {
      const auto kept = pseudo_links_.find(components.back());
      if (kept == pseudo_links_.end()) return malformed(what + ", which is not there");
      return kept->second;
    }
    const std::string target_name = std::move(components.back());
    components.pop_back();
    const LayerTree::Directory parent = TRY(tree_.resolve(components).context(what));
    if (target_name == name && parent.names == directory.names)
      return malformed(what + ", which is itself");
    tree::InodePtr target = tree_.find(parent, target_name);
    if (!target) return malformed(what + ", which is not there");
    if (target->attributes.is_directory()) return malformed(what + ", which is a directory");
    return target;
  }

  Result<void> check_xattrs(TarEntry& entry) {
    if (entry.has_acl_text) warn("its textual ACL is ignored");
    // A hard link's attributes are those of its target.
    if (entry.type == TarType::hard_link) return {};
    std::uint64_t total = 0;
    for (const tree::Xattr& xattr : entry.xattrs)
      total += 7 + xattr.name.size() + xattr.value.size();
    if (total > limits_.xattr_bytes)
      return Error(ErrorKind::limit, std::to_string(total) + " bytes of xattrs, the limit is " +
                                         std::to_string(limits_.xattr_bytes) +
                                         "; raise --max-xattr-size");
    return {};
  }

  Result<void> read_content(const tree::InodePtr& inode) {
    const std::uint64_t size = inode->attributes.size;
    if (applier_.observer_) applier_.observer_->content(inode);
    if (size == 0) return {};
    auto file = TRY(applier_.sink_.begin(size));
    if (piece_.empty()) piece_.resize(kPiece);
    while (const std::size_t n = TRY(reader_.read_content(piece_)))
      TRY(file->write(ByteSpan(piece_).first(n)));
    return file->finish(inode);
  }

  LayerApplier& applier_;
  const LayerLimits& limits_;
  TarReader reader_;
  LayerTree tree_;
  Bytes piece_;
  std::string path_;  ///< of the current entry, for messages
  std::map<std::string, tree::InodePtr, std::less<>> pseudo_links_;  ///< by their last component
};

LayerApplier::LayerApplier(tree::Tree& tree, ContentSink& sink, const LayerLimits& limits,
                           EntryObserver* observer)
    : tree_(tree), sink_(sink), limits_(limits), observer_(observer) {}

LayerApplier::~LayerApplier() = default;

Result<void> LayerApplier::apply(ByteStream& uncompressed_tar) {
  return Layer(*this, uncompressed_tar).apply();
}

Result<void> LayerApplier::finish() {
  TRY(sink_.wait());
  tree_.normalize_links();
  if (dropped_warnings_ != 0)
    warnings_.push_back(
        std::to_string(dropped_warnings_) +
        " more warnings about layer entries that appear twice or have textual ACLs");
  return {};
}

}  // namespace intact::oci
