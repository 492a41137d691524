#pragma once

#include <cstdint>
#include <optional>

#include <intact/base/result.h>
#include <intact/block/file_target.h>
#include <intact/stack/volume.h>

#include "integrity_options.h"
#include "verity_options.h"

namespace intact::cli {

/// What `intact open` is told of an image, whose name is `data`. What concerns dm-verity is for the
/// outermost volume of that kind, what concerns dm-integrity likewise.
struct ImageOptions : VerityOptions {
  IntegrityOptions integrity;
  std::optional<std::uint64_t> superblock_at;  ///< of dm-verity; none: where one is usual

  bool expects_verity() const {
    return superblock_at || !hash_device.empty() || !root_hash.empty() || !root_hash_file.empty();
  }
};

/// The layers of an image, each recognised through those below it, down to what is no volume. For
/// writing only if all of it can be written. Nothing is opened unverified that could be verified:
/// invalid_argument, with what to give, where something is missing; unsupported for volumes that
/// cannot be opened; malformed where a layer that the options speak of is not there; limit: more
/// than stack::kMaxLayers. Else errors as of the open of each layer.
Result<stack::Volume> find_layers(const ImageOptions& options, block::Access access);

}  // namespace intact::cli
