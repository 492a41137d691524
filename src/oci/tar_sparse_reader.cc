// The part of TarReader that reads the maps of sparse files, in the four forms that GNU tar has
// had.

#include <algorithm>

#include <intact/base/endian.h>
#include <intact/oci/tar_reader.h>

#include "pax.h"
#include "tar_header.h"
#include "tar_sparse.h"
#include "tar_special.h"

namespace intact::oci {
namespace {

constexpr std::string_view kName = "GNU.sparse.name";
constexpr std::string_view kMajor = "GNU.sparse.major";
constexpr std::string_view kMinor = "GNU.sparse.minor";
constexpr std::string_view kMap = "GNU.sparse.map";
constexpr std::string_view kCount = "GNU.sparse.numblocks";
constexpr std::string_view kSize = "GNU.sparse.size";
constexpr std::string_view kRealSize = "GNU.sparse.realsize";
constexpr std::string_view kOffset = "GNU.sparse.offset";
constexpr std::string_view kLength = "GNU.sparse.numbytes";

}  // namespace

/// Format 0.0 repeats two keys for each extent; they become the list that format 0.1 has.
Result<bool> TarReader::take_sparse_record(Special& special, std::string_view key,
                                           std::string_view value) const {
  const bool is_offset = key == kOffset;
  if (!is_offset && key != kLength) return false;
  const bool wants_offset = special.sparse_numbers % 2 == 0;
  if (is_offset != wants_offset || !pax_number(value))
    return error(ErrorKind::malformed, "a sparse file whose map is not a list of numbers");
  if (special.sparse_numbers++ != 0) special.sparse_list += ',';
  special.sparse_list += value;
  return true;
}

/// The map of the entry that has just been read, if it is a sparse file; from then on the size of
/// the entry is that of the whole file.
Result<void> TarReader::read_sparse(const RawTarHeader& raw, const Special& special,
                                    TarEntry& entry) {
  const bool has_records =
      special.sparse_numbers != 0 ||
      std::any_of(special.records.begin(), special.records.end(),
                  [](const auto& record) { return record.first.starts_with(kGnuSparse); });
  if (raw.type != kGnuSparseFile && !has_records) return {};
  if (entry.type != TarType::regular)
    return error(ErrorKind::malformed, "a sparse file that is not a regular file");
  if (raw.type == kGnuSparseFile && has_records)
    return error(ErrorKind::malformed, "a sparse file with two maps");
  auto map = std::make_shared<SparseMap>(has_records ? TRY(read_pax_sparse(special))
                                                     : TRY(read_gnu_sparse(raw)));
  auto checked = check_sparse_map(*map, content_left_);
  if (!checked) return error(checked.error().kind(), checked.error().message());
  if (map->size > limits_.stream_bytes)
    return error(ErrorKind::limit, "a sparse file of " + std::to_string(map->size) +
                                       " bytes, the limit of an archive is " +
                                       std::to_string(limits_.stream_bytes) +
                                       "; raise --max-layer");
  holes_ += map->size - content_left_;
  if (holes_ > limits_.hole_bytes)
    return error(ErrorKind::limit,
                 "the holes of sparse files are larger together than the limit; raise --max-holes");
  entry.size = map->size;
  sparse_cursor_ = std::make_unique<SparseCursor>(*map);
  sparse_ = std::move(map);
  return {};
}

Result<SparseMap> TarReader::read_gnu_sparse(const RawTarHeader& raw) {
  if (dialect_of(raw) != TarDialect::gnu)
    return error(ErrorKind::malformed, "a sparse file of GNU tar in another format");
  const auto header = TRY(load<RawSparseHeader>(bytes_of(raw), kRawSparseOffset));
  const auto size = field_number(header.real_size);
  if (!size || *size < 0) return error(ErrorKind::malformed, "a sparse file with a bad size");
  SparseMap map;
  map.size = static_cast<std::uint64_t>(*size);
  const auto add = [&](const auto& extents, char extended) -> Result<void> {
    auto full = add_raw_extents(map.extents, extents.data(), extents.size());
    if (!full) return error(full.error().kind(), full.error().message());
    if (!*full && extended != '\0')
      return error(ErrorKind::malformed, "a sparse file whose map goes on after its end");
    return {};
  };
  TRY(add(header.extents, header.extended));
  bool more = header.extended != '\0';
  for (std::uint64_t bytes = kTarBlock; more; bytes += kTarBlock) {
    if (bytes > limits_.pax_bytes) return sparse_map_too_long();
    Bytes block(kTarBlock);
    if (!TRY(read_block(block))) return error(ErrorKind::malformed, "the archive is cut off");
    const auto extension = TRY(load<RawSparseExtension>(block, 0));
    TRY(add(extension.extents, extension.extended));
    more = extension.extended != '\0';
  }
  return map;
}

Error TarReader::sparse_map_too_long() const {
  return error(ErrorKind::limit, "a sparse file whose map is longer than the limit of " +
                                     std::to_string(limits_.pax_bytes) + " bytes");
}

Result<SparseMap> TarReader::read_pax_sparse(const Special& special) {
  const auto value = [&](std::string_view key) -> std::string_view {
    const auto found = special.records.find(key);
    return found == special.records.end() ? std::string_view() : found->second;
  };
  for (const auto& [key, text] : special.records) {
    if (key.starts_with(kGnuSparse) && key != kName && key != kMajor && key != kMinor &&
        key != kMap && key != kCount && key != kSize && key != kRealSize)
      return error(ErrorKind::unsupported, "a sparse file with unknown PAX records");
  }
  const std::string version = std::string(value(kMajor)) + "." + std::string(value(kMinor));
  const bool map_in_content = version == "1.0";
  if (!map_in_content && version != "." && version != "0.0" && version != "0.1")
    return error(ErrorKind::unsupported, "a sparse file of an unknown version");
  if (map_in_content && (special.sparse_numbers != 0 || !value(kMap).empty()))
    return error(ErrorKind::malformed, "a sparse file with two maps");
  if (special.sparse_numbers != 0 && !value(kMap).empty())
    return error(ErrorKind::malformed, "a sparse file with two maps");

  const std::string_view size = value(kSize).empty() ? value(kRealSize) : value(kSize);
  const auto bytes = pax_number(size);
  if (!bytes || (!value(kRealSize).empty() && value(kRealSize) != size))
    return error(ErrorKind::malformed, "a sparse file with a bad size");
  SparseMap map;
  map.size = *bytes;
  if (map_in_content) {
    map.extents = TRY(read_sparse_content());
    return map;
  }
  auto extents =
      parse_sparse_list(value(kMap).empty() ? std::string_view(special.sparse_list) : value(kMap));
  if (!extents) return error(extents.error().kind(), extents.error().message());
  map.extents = std::move(*extents);
  if (!value(kCount).empty() && pax_number(value(kCount)) != map.extents.size())
    return error(ErrorKind::malformed, "a sparse file with a wrong number of extents");
  return map;
}

/// Format 1.0 has its map in front of the content: decimal numbers, each with a newline, the first
/// of them the number of extents; filled up to a whole block.
Result<std::vector<SparseExtent>> TarReader::read_sparse_content() {
  std::string text;
  std::size_t at = 0;
  std::uint64_t bytes = 0;
  const auto number = [&]() -> Result<std::uint64_t> {
    std::size_t end;
    while ((end = text.find('\n', at)) == std::string::npos) {
      if (bytes >= limits_.pax_bytes) return sparse_map_too_long();
      if (content_left_ < kTarBlock || text.size() - at > 20)
        return error(ErrorKind::malformed, "a sparse file whose map is cut off");
      Bytes block(kTarBlock);
      if (!TRY(read_block(block))) return error(ErrorKind::malformed, "the archive is cut off");
      content_left_ -= kTarBlock;
      bytes += kTarBlock;
      text.erase(0, std::exchange(at, 0));
      text += as_text(block);
    }
    const auto parsed = pax_number(std::string_view(text).substr(at, end - at));
    if (!parsed)
      return error(ErrorKind::malformed, "a sparse file whose map is not a list of numbers");
    at = end + 1;
    return *parsed;
  };
  const std::uint64_t count = TRY(number());
  std::vector<SparseExtent> extents;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t offset = TRY(number());
    extents.push_back({offset, TRY(number())});
  }
  return extents;
}

}  // namespace intact::oci
