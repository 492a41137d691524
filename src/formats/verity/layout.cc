#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/block/linear_target.h>
#include <intact/verity/volume.h>

namespace intact::verity {
namespace {

Error wrong(std::string message) {
  return Error(ErrorKind::invalid_argument, std::move(message));
}

/// A part of a device.
struct Extent {
  std::string_view what;
  const block::Device* device;
  std::uint64_t begin;
  std::uint64_t size;
};

Result<void> check_extent(const Extent& extent, ErrorKind too_short) {
  const auto end = checked_add(extent.begin, extent.size);
  if (end && *end <= extent.device->size()) return {};
  // Numbers that a caller states may be wrong; those of a superblock were right once.
  const bool stated = too_short == ErrorKind::invalid_argument;
  return Error(
      too_short,
      fmt::format("{}: needs bytes {} to {}, but its device has only {}; {}", extent.what,
                  extent.begin, end ? fmt::to_string(*end) : "beyond 2^64", extent.device->size(),
                  stated ? "state fewer data blocks or a smaller offset"
                         : "the device was cut short, or is not the right one"));
}

Result<void> check_apart(const Extent& a, const Extent& b) {
  if (a.device != b.device || a.begin + a.size <= b.begin || b.begin + b.size <= a.begin) return {};
  const Extent& first = a.begin <= b.begin ? a : b;
  const Extent& second = a.begin <= b.begin ? b : a;
  return wrong(fmt::format(
      "{} (from byte {}): overlaps {} (up to byte {}) of the same file; move it to an offset of {} "
      "or "
      "more, or to another file",
      second.what, second.begin, first.what, first.begin + first.size, first.begin + first.size));
}

}  // namespace

Result<std::uint64_t> hash_area_offset(const Layout& layout) {
  const std::uint64_t block = layout.params.hash_block_size;
  if (!layout.superblock) {
    if (layout.hash_offset % block != 0)
      return wrong(fmt::format(
          "hash offset {}: without a superblock it must be a multiple of the hash block "
          "size {}",
          layout.hash_offset, block));
    return layout.hash_offset;
  }
  if (layout.hash_offset % kMinBlockSize != 0)
    return wrong(
        fmt::format("hash offset {}: not a multiple of {}", layout.hash_offset, kMinBlockSize));
  const auto end = checked_add<std::uint64_t>(layout.hash_offset, kSuperblockSize);
  const auto offset = end ? checked_align_up(*end, block) : std::nullopt;
  if (!offset) return wrong(fmt::format("hash offset {}: too large", layout.hash_offset));
  return *offset;
}

Result<std::shared_ptr<block::Device>> fec_coverage(const Layout& layout, const Devices& devices) {
  const Params& params = layout.params;
  const Geometry geometry = TRY(Geometry::create(params));
  if (params.data_block_size != params.hash_block_size)
    return wrong("FEC: data and hash block sizes differ; it needs equal ones");
  const std::uint64_t begin = TRY(hash_area_offset(layout));
  std::uint64_t end = devices.hash->size();
  if (devices.fec == devices.hash) end = std::min(end, layout.fec->offset);
  if (end < begin || (end - begin) / params.hash_block_size < geometry.hash_blocks())
    return wrong(fmt::format("hash area: needs bytes {} to {}, but {}", begin,
                             begin + geometry.hash_size(),
                             devices.fec == devices.hash ? "the FEC area begins before its end"
                                                         : "its device is smaller"));
  std::vector<std::shared_ptr<block::Device>> parts;
  parts.push_back(
      TRY(block::LinearTarget::open(devices.data, {.offset = 0, .length = geometry.data_size()})));
  parts.push_back(TRY(block::LinearTarget::open(
      devices.hash, {.offset = begin,
                     .length = (end - begin) / params.hash_block_size * params.hash_block_size})));
  return std::shared_ptr<block::Device>(TRY(block::ConcatTarget::open(std::move(parts))));
}

Result<FecGeometry> fec_geometry(const Layout& layout, const block::Device& coverage) {
  return FecGeometry::create({.roots = layout.fec->roots,
                              .block_size = layout.params.data_block_size,
                              .blocks = coverage.size() / layout.params.data_block_size});
}

Result<DeviceSizes> needed_sizes(const Layout& layout, std::uint64_t hash_size,
                                 bool fec_on_hash_device) {
  const Geometry geometry = TRY(Geometry::create(layout.params));
  const std::uint64_t begin = TRY(hash_area_offset(layout));
  const auto tree_end = checked_add(begin, geometry.hash_size());
  if (!tree_end) return wrong(fmt::format("hash offset {}: too large", layout.hash_offset));
  DeviceSizes sizes{.hash = *tree_end, .fec = 0};
  if (!layout.fec) return sizes;
  const std::uint64_t end =
      fec_on_hash_device ? layout.fec->offset : std::max(hash_size, *tree_end);
  // An offset within the tree is refused by check_layout.
  const std::uint64_t hash_blocks = (std::max(end, begin) - begin) / layout.params.hash_block_size;
  const FecGeometry fec =
      TRY(FecGeometry::create({.roots = layout.fec->roots,
                               .block_size = layout.params.data_block_size,
                               .blocks = geometry.data_blocks() + hash_blocks}));
  const auto fec_end = checked_add(layout.fec->offset, fec.size());
  if (!fec_end) return wrong(fmt::format("FEC offset {}: too large", layout.fec->offset));
  sizes.fec = *fec_end;
  if (fec_on_hash_device) sizes.hash = std::max(sizes.hash, sizes.fec);
  return sizes;
}

Result<void> check_layout(const Layout& layout, const Devices& devices, ErrorKind too_short) {
  const Geometry geometry = TRY(Geometry::create(layout.params));
  const std::uint64_t area = TRY(hash_area_offset(layout));
  std::vector<Extent> extents = {
      {"the data area", devices.data.get(), 0, geometry.data_size()},
      {"the hash area", devices.hash.get(), layout.hash_offset,
       area - layout.hash_offset + geometry.hash_size()},
  };
  for (const Extent& extent : extents) TRY(check_extent(extent, too_short));
  if (layout.fec) {
    if (layout.fec->offset % kMinBlockSize != 0)
      return wrong(
          fmt::format("FEC offset {}: not a multiple of {}", layout.fec->offset, kMinBlockSize));
    // The start of the parity decides what it covers, so overlap with the hash area comes first.
    const Extent start{"the FEC area", devices.fec.get(), layout.fec->offset, 1};
    for (const Extent& extent : extents) TRY(check_apart(extent, start));
    const auto coverage = TRY(fec_coverage(layout, devices));
    const FecGeometry fec = TRY(fec_geometry(layout, *coverage));
    extents.push_back({"the FEC area", devices.fec.get(), layout.fec->offset, fec.size()});
    TRY(check_extent(extents.back(), too_short));
  }
  for (std::size_t i = 0; i < extents.size(); ++i)
    for (std::size_t k = i + 1; k < extents.size(); ++k) TRY(check_apart(extents[i], extents[k]));
  return {};
}

}  // namespace intact::verity
