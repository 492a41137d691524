#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/image/work.h>
#include <intact/oci/descriptor.h>
#include <intact/oci/image_destination.h>
#include <intact/oci/reference.h>
#include <intact/oci/tree_tar.h>

#include "progress_meter.h"

namespace intact::image {

/// An image of one layer, made of a plain directory (rootfs:) or tar (tar:).
struct BaseImage {
  oci::Manifest manifest;
  oci::ImageConfig config;
  /// Opens the layer's bytes, compressed or not: those that the config's diff_id was computed from.
  /// To be called once.
  std::function<Result<std::unique_ptr<ByteStream>>()> open_layer;
  std::uint64_t layer_bytes;  ///< that it returns
};

/// Stages the layer blob in `destination`, where temporary files as large as the tar are made as
/// well. A tar that is compressed with gzip or zstd is taken as it is; anything else becomes gzip.
/// `owner` is for directories.
Result<BaseImage> make_base_image(const oci::Reference& source, const oci::Platform& platform,
                                  oci::ImageDestination& destination, const UnpackLimits& limits,
                                  const std::optional<oci::Owner>& owner, ProgressMeter& meter);

}  // namespace intact::image
