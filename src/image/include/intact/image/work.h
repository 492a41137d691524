#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include <intact/oci/decompress.h>
#include <intact/oci/layer_applier.h>

namespace intact::image {

/// Limits on what an image may unpack to; the defaults let every real image pass.
struct UnpackLimits {
  oci::LayerLimits layers;
  oci::DecompressLimits decompress;
};

}  // namespace intact::image
