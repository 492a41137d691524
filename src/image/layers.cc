#include "layers.h"

#include <intact/oci/hashing_stream.h>

#include "read_ahead.h"

namespace intact::image {

Result<tree::Tree> apply_layers(const oci::Manifest& manifest, const oci::ImageConfig& config,
                                const LayerOpener& open_layer, oci::ContentSink& sink,
                                const UnpackLimits& limits, std::vector<std::string>& warnings,
                                oci::EntryObserver* observer) {
  TRY(oci::check_layer_count(manifest, config));
  tree::Tree tree;
  oci::LayerApplier applier(tree, sink, limits.layers, observer);
  const auto expansion = std::make_shared<oci::Expansion>();
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    const oci::Descriptor& layer = manifest.layers[i];
    const std::string name =
        "layer " + std::to_string(i + 1) + " (" + layer.digest.to_string() + ")";
    auto stored = TRY(open_layer(layer).context(name));
    ReadAheadStream inflated(TRY(
        oci::decompress(std::move(stored), limits.decompress, nullptr, expansion).context(name)));
    oci::HashingStream hashed(inflated, config.diff_ids[i].algorithm());
    TRY(applier.apply(hashed).context(name));
    if (TRY(hashed.finish()) != config.diff_ids[i])
      return Error(ErrorKind::tampered,
                   name + ": its content does not have the digest that the image config names, " +
                       config.diff_ids[i].to_string());
  }
  TRY(applier.finish());
  warnings.insert(warnings.end(), applier.warnings().begin(), applier.warnings().end());
  return tree;
}

std::uint64_t stored_bytes(const std::vector<oci::Descriptor>& layers) {
  std::uint64_t sum = 0;
  for (const oci::Descriptor& layer : layers) sum += layer.size;
  return sum;
}

}  // namespace intact::image
