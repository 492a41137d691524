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

/// Told now and then how far the present step of some work has come, in bytes. A total of 0: nobody
/// knows. `step` is a phrase such as "Unpacking" with static storage. May be called from any
/// thread, from one at a time.
using Progress =
    std::function<void(std::string_view step, std::uint64_t done, std::uint64_t total)>;

}  // namespace intact::image
