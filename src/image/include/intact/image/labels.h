#pragma once

#include <optional>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/oci/config.h>

namespace intact::image {

// The labels of a sealed image's config. They bind the composefs image to the signed manifest.
inline constexpr std::string_view kDigestLabel = "intact.image.digest";  // "sha256:HEX"
inline constexpr std::string_view kFormatLabel = "intact.image.format";  // "composefs-1"
inline constexpr std::string_view kFormat = "composefs-1";
/// composefs-rs' label for the digest of *its* image of the same tree, which has another layout.
inline constexpr std::string_view kComposefsLabel = "containers.composefs.fsverity";

/// The fs-verity digest of the composefs image that the labels of a sealed image tell. Nothing when
/// the image is not sealed. malformed: one label without the other, a bad digest, labels that
/// contradict each other; unsupported: a format of a newer version.
Result<std::optional<Digest>> sealed_digest(const oci::ImageConfig& config);

/// The bytes of the config with the labels of a sealed image set; everything else stays as it was,
/// in its order. A composefs-rs label of another image is refused (malformed): with ours it would
/// contradict itself.
Result<Bytes> encode_sealed(const oci::ImageConfig& config, const Digest& image);

}  // namespace intact::image
