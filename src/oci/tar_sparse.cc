#include "tar_sparse.h"

#include <algorithm>

#include "pax.h"

namespace intact::oci {
namespace {

Error malformed(std::string_view text) {
  return Error(ErrorKind::malformed, "sparse file: " + std::string(text));
}

}  // namespace

Result<void> check_sparse_map(const SparseMap& map, std::uint64_t stored) {
  std::uint64_t end = 0;
  std::uint64_t sum = 0;
  for (const SparseExtent& extent : map.extents) {
    if (extent.offset < end) return malformed("its map is out of order");
    if (extent.offset > map.size || extent.length > map.size - extent.offset)
      return malformed("its map goes beyond its size");
    end = extent.offset + extent.length;
    sum += extent.length;  // at most map.size
  }
  if (sum != stored) return malformed("its map does not match the stored bytes");
  return {};
}

Result<std::vector<SparseExtent>> parse_sparse_list(std::string_view text) {
  std::vector<SparseExtent> extents;
  std::vector<std::uint64_t> numbers;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const auto number = pax_number(text.substr(0, comma));
    if (!number || comma + 1 == text.size()) return malformed("its map is not a list of numbers");
    numbers.push_back(*number);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  if (numbers.size() % 2 != 0) return malformed("its map has an offset without a length");
  for (std::size_t i = 0; i < numbers.size(); i += 2)
    extents.push_back({numbers[i], numbers[i + 1]});
  return extents;
}

SparseCursor::Step SparseCursor::next(std::size_t most) {
  while (extent_ < map_->extents.size()) {
    const SparseExtent& extent = map_->extents[extent_];
    if (position_ >= extent.offset + extent.length) {
      ++extent_;
      continue;
    }
    const bool is_hole = position_ < extent.offset;
    const std::uint64_t end = is_hole ? extent.offset : extent.offset + extent.length;
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(most, end - position_));
    position_ += bytes;
    return {bytes, is_hole};
  }
  const auto rest = static_cast<std::size_t>(std::min<std::uint64_t>(most, map_->size - position_));
  position_ += rest;
  return {rest, true};
}

Result<bool> add_raw_extents(std::vector<SparseExtent>& extents, const RawSparseExtent* raw,
                             std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    // Some readers look at one of the fields, some at the other.
    const bool no_offset = raw[i].offset[0] == '\0';
    const bool no_length = raw[i].length[0] == '\0';
    if (no_offset != no_length) return malformed("its map has half an extent");
    if (no_offset) return false;
    const auto offset = field_number(raw[i].offset);
    const auto length = field_number(raw[i].length);
    if (!offset || !length || *offset < 0 || *length < 0)
      return malformed("its map has a bad number");
    extents.push_back({static_cast<std::uint64_t>(*offset), static_cast<std::uint64_t>(*length)});
  }
  return true;
}

}  // namespace intact::oci
