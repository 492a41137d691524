#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include <intact/erofs/damaged_files.h>
#include <intact/erofs/extent_map.h>
#include <intact/erofs/image.h>

namespace intact::erofs {
namespace {

/// More than real images have; a hostile one may name one directory in many places.
constexpr std::size_t kMaxNames = 50'000'000;
/// Entries of content maps in total: 4 TiB of compressed files. A hostile image may have many names
/// for one large file.
constexpr std::uint64_t kMaxMapEntries = std::uint64_t{1} << 30;
/// Extents of the packed inode, which are kept in memory.
constexpr std::size_t kMaxPackedExtents = 4'000'000;

/// A part of an image that cannot be read is damaged itself and listed for that reason.
bool is_damage(const Error& error) {
  return error.kind() == ErrorKind::tampered || error.kind() == ErrorKind::io;
}

/// The file that holds the ends of others ("fragments"), if an image has one.
class PackedFile {
 public:
  explicit PackedFile(const Image& image) {
    if (image.superblock().packed_nid == 0)
      error_ = Error(ErrorKind::malformed, "fragments in an image without a file for them");
    else if (auto done = read(image); !done)
      error_ = std::move(done).error();
  }

  /// Inode and map: without them nothing in it can be found.
  ByteRange metadata() const { return metadata_; }

  /// Calls `touch` for the bytes of the image that these bytes of the file are made of.
  template <typename Touch>
  Result<void> place(std::uint64_t offset, std::uint64_t length, Touch touch) const {
    if (error_) return Error(*error_);
    auto extent = std::ranges::upper_bound(extents_, offset, {},
                                           [](const Extent& e) { return e.logical + e.length; });
    for (; extent != extents_.end() && extent->logical < offset + length; ++extent)
      touch(extent->offset, extent->stored_length);
    return {};
  }

 private:
  Result<void> read(const Image& image) {
    const std::uint64_t nid = image.superblock().packed_nid;
    const std::uint64_t begin = image.superblock().meta_offset + nid * kSlotSize;
    metadata_ = {.offset = begin, .length = sizeof(RawInodeExtended)};
    const Inode inode = TRY(image.inode(nid));
    metadata_.length = map_header_end(inode) - begin;
    const auto map = TRY(ExtentMap::open(image, inode));
    metadata_.length = map.metadata_end() - begin;
    return map.list([&](const Extent& extent) -> Result<void> {
      if (extent.place == Extent::Place::packed)
        return Error(ErrorKind::malformed, "fragments within the file for them");
      if (extents_.size() == kMaxPackedExtents)
        return Error(ErrorKind::limit, "too many fragments");
      extents_.push_back(extent);
      return {};
    });
  }

  ByteRange metadata_{};
  std::vector<Extent> extents_;
  std::optional<Error> error_;
};

class Search {
 public:
  Search(const Image& image, const std::vector<ByteRange>& ranges)
      : image_(image), ranges_(ranges), packed_(image) {
    found_.in_range.resize(ranges.size());
  }

  Result<void> walk() {
    TRY(visit("/", image_.root()));
    while (!directories_.empty()) {
      const auto [path, inode] = std::move(directories_.back());
      directories_.pop_back();
      TRY(enter(path, inode));
    }
    return {};
  }
  DamagedFiles take() { return std::move(found_); }

 private:
  void touch(const std::string& path, std::uint64_t offset, std::uint64_t length) {
    if (length == 0) return;
    // The first that ends behind `offset`.
    auto range = std::ranges::upper_bound(ranges_, offset, {},
                                          [](const ByteRange& r) { return r.offset + r.length; });
    for (; range != ranges_.end() && range->offset < offset + length; ++range) {
      auto& paths = found_.in_range[static_cast<std::size_t>(range - ranges_.begin())];
      if (paths.empty() || paths.back() != path) paths.push_back(path);
    }
  }

  /// Nobody knows where this file lies; if not for damage, then it is not named for that either.
  void give_up(const std::string& path, const Error& error) {
    if (!is_damage(error)) found_.not_looked_into.push_back(path);
  }

  /// A name that leads to this inode.
  Result<void> visit(const std::string& path, std::uint64_t nid) {
    const std::uint64_t begin = image_.superblock().meta_offset + nid * kSlotSize;
    const auto inode = image_.inode(nid);
    if (!inode) {
      // What it is cannot be read, or its second half cannot.
      touch(path, begin, is_damage(inode.error()) ? sizeof(RawInodeExtended) : kSlotSize);
      give_up(path, inode.error());
      return {};
    }
    const auto map = ExtentMap::open(image_, *inode);
    if (map) {
      touch(path, begin, map->metadata_end() - begin);
      TRY(touch_content(path, *map));
    } else {
      const bool damaged = is_damage(map.error());
      touch(path, begin, (damaged ? map_header_end(*inode) : inode->tail_offset) - begin);
      give_up(path, map.error());
    }
    if (inode->is_directory() && entered_.insert(nid).second)
      directories_.emplace_back(path, *inode);
    return {};
  }

  Result<void> touch_content(const std::string& path, const ExtentMap& map) {
    map_entries_ += map.entries();
    if (map_entries_ > kMaxMapEntries)
      return Error(ErrorKind::limit, "more content than an image can have");
    const auto listed = map.list([&](const Extent& extent) -> Result<void> {
      if (extent.place == Extent::Place::packed) return touch_fragment(path, extent);
      touch(path, extent.offset, extent.stored_length);
      return {};
    });
    if (!listed) give_up(path, listed.error());
    return {};
  }

  Result<void> touch_fragment(const std::string& path, const Extent& extent) {
    touch(path, packed_.metadata().offset, packed_.metadata().length);
    return packed_.place(
        extent.offset, extent.length,
        [&](std::uint64_t offset, std::uint64_t length) { touch(path, offset, length); });
  }

  Result<void> enter(const std::string& path, const Inode& directory) {
    const std::string prefix = path == "/" ? path : path + "/";
    std::vector<std::pair<std::string, std::uint64_t>> entries;
    const auto listed =
        image_.list(directory, 0, [&](const Dirent& entry, std::uint64_t) -> Result<bool> {
          if (entry.name != "." && entry.name != "..")
            entries.emplace_back(prefix + std::string(entry.name), entry.nid);
          return true;
        });
    names_ += entries.size();
    if (names_ > kMaxNames) return Error(ErrorKind::limit, "more names than an image can have");
    for (const auto& [name, nid] : entries) TRY(visit(name, nid));
    if (listed) return {};
    if (is_damage(listed.error()))
      touch(prefix + "...", directory.data_offset, directory.attributes.size);
    give_up(prefix + "...", listed.error());
    return {};
  }

  const Image& image_;
  const std::vector<ByteRange>& ranges_;
  PackedFile packed_;
  DamagedFiles found_;
  std::vector<std::pair<std::string, Inode>> directories_;
  std::unordered_set<std::uint64_t> entered_;
  std::size_t names_ = 0;
  std::uint64_t map_entries_ = 0;
};

}  // namespace

Result<DamagedFiles> files_in(std::shared_ptr<const ByteSource> image,
                              const std::vector<ByteRange>& ranges) {
  const auto opened = Image::open(std::move(image), Accept::mappable);
  if (!opened) {
    if (opened.error().kind() == ErrorKind::unsupported) return Error(opened.error());
    return DamagedFiles{.in_range = std::vector<std::vector<std::string>>(ranges.size()),
                        .not_looked_into = {}};
  }
  Search search(**opened, ranges);
  TRY(search.walk());
  return search.take();
}

Result<DamagedFiles> files_of(std::shared_ptr<const ByteSource> image,
                              const std::vector<Damage>& damaged, std::string_view object) {
  std::vector<ByteRange> ranges;
  std::vector<std::size_t> places;  // of the ranges in `damaged`
  for (std::size_t i = 0; i < damaged.size(); ++i) {
    if (damaged[i].object != object) continue;
    ranges.push_back({.offset = damaged[i].range->offset, .length = damaged[i].range->bytes});
    places.push_back(i);
  }
  DamagedFiles files;
  files.in_range.resize(damaged.size());
  if (ranges.empty()) return files;
  DamagedFiles found = TRY(files_in(std::move(image), ranges));
  for (std::size_t i = 0; i < places.size(); ++i)
    files.in_range[places[i]] = std::move(found.in_range[i]);
  files.not_looked_into = std::move(found.not_looked_into);
  return files;
}

}  // namespace intact::erofs
