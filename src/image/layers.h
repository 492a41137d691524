#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/image/work.h>
#include <intact/oci/config.h>
#include <intact/oci/layer_applier.h>
#include <intact/oci/manifest.h>
#include <intact/tree/tree.h>

namespace intact::image {

/// Opens the stored bytes of a layer, whose digest has been checked already.
using LayerOpener =
    std::function<Result<std::unique_ptr<ByteStream>>(const oci::Descriptor& layer)>;

/// Applies the layers of an image in order, by the rules that stand at oci::LayerApplier: every
/// choice there changes the digest of a sealed image. Returns the tree. Each layer is inflated on
/// one thread, while another hashes, parses and hands contents to `sink`. tampered when an
/// uncompressed layer is not what the config's diff_ids say. Oddities go to `warnings`. `observer`
/// may be null; it is shown all entries.
Result<tree::Tree> apply_layers(const oci::Manifest& manifest, const oci::ImageConfig& config,
                                const LayerOpener& open_layer, oci::ContentSink& sink,
                                const UnpackLimits& limits, std::vector<std::string>& warnings,
                                oci::EntryObserver* observer = nullptr);

/// Bytes of the layers as they are stored, to tell progress by: the sizes are only what descriptors
/// claim.
std::uint64_t stored_bytes(const std::vector<oci::Descriptor>& layers);

}  // namespace intact::image
