#pragma once

#include <optional>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/oci/config.h>
#include <intact/store/store.h>

namespace intact::image {

// The labels of a sealed image's config. They bind the image to the signed manifest.
inline constexpr std::string_view kDigestLabel = "intact.image.digest";  // "sha256:HEX"
inline constexpr std::string_view kFormatLabel = "intact.image.format";  // ImageId::format

/// The image that the labels of a sealed image name. Nothing when it is not sealed. malformed: one
/// label without the other, a bad digest, labels that contradict each other; unsupported: a format
/// of a newer version.
Result<std::optional<store::ImageId>> sealed_image(const oci::ImageConfig& config);

/// The bytes of the config with the labels of a sealed image set; everything else stays as it was,
/// in its order. Labels of other tools that name another image are refused (malformed): with ours
/// they would contradict each other.
Result<Bytes> encode_sealed(const oci::ImageConfig& config, const store::ImageId& image);

}  // namespace intact::image
