#include "stale_seal.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "profile.h"

namespace intact::image {

Result<std::optional<std::size_t>> layers_of_sealed_base(const Chain& chain,
                                                         const LayerOpener& open_layer,
                                                         const UnpackLimits& limits) {
  const Profile& profile = *TRY(find_profile(chain.image.format));
  oci::Manifest manifest = chain.manifest;
  oci::ImageConfig config = chain.config;
  for (std::size_t tried = 0; manifest.layers.size() > 1 && tried < kMaxTriedLayers; ++tried) {
    manifest.layers.pop_back();
    config.diff_ids.pop_back();
    std::vector<std::string> warnings;  // of layers that were told about already
    const auto sink = profile.content_sink(nullptr, nullptr);
    const tree::Tree tree =
        TRY(apply_layers(manifest, config, open_layer, *sink, limits, warnings));
    if (TRY(profile.seal(tree)).digest() == chain.image.digest)
      return std::optional(manifest.layers.size());
  }
  return std::optional<std::size_t>();
}

std::string stale_seal_warning(std::size_t layers_of_base, std::size_t layers) {
  return fmt::format(
      "its labels seal its base image, the first {} of its {} layers, and not this image: it "
      "counts "
      "as not sealed, and this machine seals it; ask its publisher to seal it again",
      layers_of_base, layers);
}

}  // namespace intact::image
