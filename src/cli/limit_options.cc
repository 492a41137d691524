#include "limit_options.h"

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include <intact/console/size_option.h>
#include <intact/json/json.h>
#include <intact/oci/manifest.h>

#include "command.h"

namespace intact::cli {
namespace {

constexpr std::uint32_t kNoId = UINT32_MAX;      // what chown(2) takes for "as it is"
constexpr std::uint32_t kMaxXattrBytes = 32755;  // what an inode of EROFS can hold

}  // namespace

struct LimitOptions::Values {
  image::UnpackLimits limits;
};

LimitOptions::LimitOptions(CLI::App* command) : values_(std::make_shared<Values>()) {
  image::UnpackLimits& limits = values_->limits;
  const auto add = [command](const char* name, auto& value, const char* description,
                             std::uint64_t most, bool is_size) {
    command->add_option(name, value, description)
        ->transform(is_size ? size_value(SizeUnit::byte, most) : number_value(most))
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
      kMaxXattrBytes, true);
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
      "SIZE is a number of bytes, or has a unit: 1G and 1GiB are 1024M, 1GB is 1000MB. Fixed "
      "limits: names of "
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
