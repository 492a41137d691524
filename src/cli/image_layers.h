#pragma once

#include <cstdint>
#include <optional>

#include <intact/base/result.h>
#include <intact/block/file_device.h>
#include <intact/stack/plan.h>

#include "integrity_options.h"
#include "verity_options.h"

namespace intact::cli {

/// The options of `intact open` for the image `data`. Those for dm-verity apply to the outermost
/// volume of that kind, and those for dm-integrity likewise.
struct ImageOptions : VerityOptions {
  IntegrityOptions integrity;
  std::optional<std::uint64_t> superblock_at;  ///< of dm-verity; none: where one is usual

  /// The first option given that says how to check the image; null if there is none.
  const char* check_option() const;
  bool expects_verity() const {
    return superblock_at || !hash_device.empty() || !root_hash.empty() || !root_hash_file.empty() ||
           data_blocks.value_or(0) != 0;
  }
};

/// Finds the layers of an image: each is identified through those below it, until the content is
/// not a volume. Each file is opened once, so what was identified is what the result contains, and
/// it is locked from then on. The file is open for writing only if all layers can be written.
/// Nothing that can be verified is opened unverified. invalid_argument: an option is missing, with
/// its name; unsupported: a volume that cannot be opened; malformed: a layer that options refer to
/// is missing; limit: more than stack::kMaxTables. Otherwise errors of the open of each layer.
Result<stack::Plan> find_layers(const ImageOptions& options, block::Access access);

}  // namespace intact::cli
