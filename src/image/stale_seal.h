#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <intact/base/result.h>
#include <intact/image/chain.h>
#include <intact/image/work.h>

#include "layers.h"

namespace intact::image {

// Builders copy the labels of a base image into the config of what they build on it. If the base
// was sealed, the labels then name the image of the base. Such an image is not sealed; it is also
// not damaged. The two are told apart by proof: the first layers alone make the image that the
// labels name. Labels and layers are both covered by the manifest's digest, so anyone who vouches
// for that vouches for this state of them: nobody else can make a sealed image look like this.

/// How many of the first layers make the image that the labels of the config name; nothing if no
/// number of them does, as far as they are tried (from the most, at most kMaxTriedLayers times).
Result<std::optional<std::size_t>> layers_of_sealed_base(const Chain& chain,
                                                         const LayerOpener& open_layer,
                                                         const UnpackLimits& limits);
inline constexpr std::size_t kMaxTriedLayers = 16;

/// For people.
std::string stale_seal_warning(std::size_t layers_of_base, std::size_t layers);

}  // namespace intact::image
