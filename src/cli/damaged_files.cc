#include "damaged_files.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include <intact/erofs/image.h>

namespace intact::cli {
namespace {

/// No image of ours has as many; a hostile one may name one directory in many places.
constexpr std::size_t kMostNames = 50'000'000;

class Search {
 public:
  Search(const erofs::Image& image, const std::vector<ByteRange>& ranges)
      : image_(image), ranges_(ranges), found_(ranges.size()) {}

  Result<void> walk() {
    visit("/", image_.root());
    while (!directories_.empty()) {
      const auto [path, inode] = std::move(directories_.back());
      directories_.pop_back();
      TRY(enter(path, inode));
    }
    return {};
  }
  std::vector<std::vector<std::string>> take() { return std::move(found_); }

 private:
  void touch(const std::string& path, std::uint64_t offset, std::uint64_t length) {
    if (length == 0) return;
    // The first that ends behind `offset`.
    auto range = std::ranges::upper_bound(ranges_, offset, {},
                                          [](const ByteRange& r) { return r.offset + r.length; });
    for (; range != ranges_.end() && range->offset < offset + length; ++range) {
      auto& paths = found_[static_cast<std::size_t>(range - ranges_.begin())];
      if (paths.empty() || paths.back() != path) paths.push_back(path);
    }
  }

  /// A name that leads to this inode.
  void visit(const std::string& path, std::uint64_t nid) {
    const std::uint64_t begin = image_.superblock().meta_offset + nid * erofs::kSlotSize;
    const auto inode = image_.inode(nid);
    if (!inode) {
      touch(path, begin, erofs::kSlotSize);  // what it is cannot be read either
      return;
    }
    const std::uint64_t size = inode->attributes.size;
    const bool packed = inode->layout == erofs::Layout::tail_packed;
    const bool in_blocks = inode->attributes.is_regular() || inode->attributes.is_directory() ||
                           inode->attributes.is_symlink();
    const std::uint64_t tail = packed ? size % erofs::kBlockSize : 0;
    touch(path, begin, inode->tail_offset + tail - begin);
    if (in_blocks && inode->layout != erofs::Layout::chunked)
      touch(path, inode->data_offset, size - tail);
    if (inode->is_directory() && entered_.insert(nid).second)
      directories_.emplace_back(path, *inode);
  }

  Result<void> enter(const std::string& path, const erofs::Inode& directory) {
    const std::string prefix = path == "/" ? path : path + "/";
    std::vector<std::pair<std::string, std::uint64_t>> entries;
    const auto listed =
        image_.list(directory, 0, [&](const erofs::Dirent& entry, std::uint64_t) -> Result<bool> {
          if (entry.name != "." && entry.name != "..")
            entries.emplace_back(prefix + std::string(entry.name), entry.nid);
          return true;
        });
    names_ += entries.size();
    if (names_ > kMostNames) return Error(ErrorKind::limit, "more names than an image can have");
    for (const auto& [name, nid] : entries) visit(name, nid);
    if (!listed && listed.error().kind() == ErrorKind::tampered)
      touch(prefix + "...", directory.data_offset, directory.attributes.size);
    return {};
  }

  const erofs::Image& image_;
  const std::vector<ByteRange>& ranges_;
  std::vector<std::vector<std::string>> found_;  // for each range
  std::vector<std::pair<std::string, erofs::Inode>> directories_;
  std::unordered_set<std::uint64_t> entered_;
  std::size_t names_ = 0;
};

}  // namespace

Result<std::vector<std::vector<std::string>>> files_in(std::shared_ptr<const ByteSource> image,
                                                       const std::vector<ByteRange>& ranges) {
  auto opened = erofs::Image::open(std::move(image));
  if (!opened) {
    if (opened.error().kind() == ErrorKind::unsupported) return Error(opened.error());
    return std::vector<std::vector<std::string>>(ranges.size());
  }
  Search search(**opened, ranges);
  TRY(search.walk());
  return search.take();
}

}  // namespace intact::cli
