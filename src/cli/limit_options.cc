#include "limit_options.h"

#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>

#include <intact/json/json.h>
#include <intact/oci/manifest.h>

#include "command.h"

namespace intact::cli {
namespace {

constexpr std::uint32_t kNoId = UINT32_MAX;       // what chown(2) takes for "as it is"
constexpr std::uint32_t kMostXattrBytes = 32755;  // what an inode of EROFS can hold

constexpr std::string_view kUnits = "KMGTP";

/// 2^30 as "1G": the shortest form that is exact, as parse_size() takes it.
std::string size_text(std::uint64_t bytes) {
  std::size_t unit = 0;
  while (unit < kUnits.size() && bytes != 0 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + (unit == 0 ? "" : std::string(1, kUnits[unit - 1]));
}

/// Decimal digits, followed by a unit (a power of 1024) if `units`. Nothing for anything else.
std::optional<std::uint64_t> parse_number(std::string_view text, bool units) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc()) return std::nullopt;
  if (parsed.ptr == end) return value;
  const std::size_t unit = kUnits.find(*parsed.ptr);
  if (!units || parsed.ptr + 1 != end || unit == std::string_view::npos) return std::nullopt;
  const std::size_t shift = 10 * (unit + 1);
  if (value > UINT64_MAX >> shift) return std::nullopt;
  return value << shift;
}

/// The library's own conversions take signs, and numbers that do not fit.
CLI::Validator number_up_to(std::uint64_t most, bool units) {
  const auto check = [=](std::string& text) -> std::string {
    const auto value = parse_number(text, units);
    if (!value)
      return fmt::format("'{}' is not a number{}", text,
                         units ? " of bytes such as 4096 or 16G" : "");
    if (*value > most) return fmt::format("{} is more than {}", text, most);
    text = std::to_string(*value);
    return {};
  };
  return CLI::Validator(check, "");
}

}  // namespace

struct LimitOptions::Values {
  image::UnpackLimits limits;
};

LimitOptions::LimitOptions(CLI::App* command) : values_(std::make_shared<Values>()) {
  image::UnpackLimits& limits = values_->limits;
  const auto add = [command](const char* name, auto& value, const char* description,
                             std::uint64_t most, bool is_size) {
    command->add_option(name, value, description)
        ->transform(number_up_to(most, is_size))
        ->default_str(is_size ? size_text(value) : std::to_string(value))
        ->type_name(is_size ? "SIZE" : "N")
        ->group(kLimitsGroup);
  };
  const auto add_number = [&add](const char* name, auto& value, const char* description) {
    add(name, value, description, std::numeric_limits<std::decay_t<decltype(value)>>::max(), false);
  };
  const auto add_size = [&add](const char* name, auto& value, const char* description) {
    add(name, value, description, std::numeric_limits<std::decay_t<decltype(value)>>::max(), true);
  };
  add_number("--max-entries", limits.layers.entries,
             "Maximum entries in all layers, including overwritten and deleted ones");
  add_size("--max-metadata", limits.layers.metadata_bytes,
           "Maximum size of paths, link targets and xattrs in all layers; each xattr counts 64 "
           "bytes extra");
  add("--max-id", limits.layers.tar.max_id, "Highest user and group ID", kNoId - 1, false);
  add_number("--max-xattrs", limits.layers.tar.xattrs, "Maximum xattrs of one file");
  add("--max-xattr-size", limits.layers.xattr_bytes,
      "Maximum size of the xattrs of one file; each counts its name and 7 bytes extra",
      kMostXattrBytes, true);
  add_size("--max-layer", limits.decompress.output_bytes,
           "Maximum size of one layer, uncompressed");
  add_size("--max-expanded", limits.decompress.total_bytes,
           "Maximum size of all layers together, uncompressed");
  add_number("--max-expansion", limits.decompress.ratio,
             "Maximum ratio of uncompressed to compressed size, above --expansion-free");
  add_size("--expansion-free", limits.decompress.ratio_from,
           "Uncompressed size up to which --max-expansion does not apply (files of zeros compress "
           "well)");
  add_size("--max-holes", limits.decompress.hole_bytes,
           "Maximum size of the holes in sparse files of all layers together");
  add_size("--max-decoder-memory", limits.decompress.memory_bytes,
           "Memory of one decoder: the dictionary of xz, the window of zstd");
  command->footer(fmt::format(
      "SIZE is in bytes, or has a suffix K, M, G, T or P (1G is 1024M). Fixed limits: names of "
      "255 and paths (from / on) and link targets of 4095 bytes, {} levels of directories, {} "
      "layers, JSON documents of {} and {} levels.",
      limits.layers.depth, oci::kMaxLayers, size_text(oci::kMaxDocument), JsonLimits().depth));
}

image::UnpackLimits LimitOptions::limits() const {
  image::UnpackLimits limits = values_->limits;
  limits.layers.tar.stream_bytes = limits.decompress.output_bytes;
  limits.layers.tar.hole_bytes = limits.decompress.hole_bytes;
  // An entry may have a PAX header and two long names in front.
  limits.layers.tar.headers =
      limits.layers.entries > UINT64_MAX / 4 ? UINT64_MAX : 4 * limits.layers.entries;
  return limits;
}

}  // namespace intact::cli
