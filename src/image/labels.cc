#include <string>

#include <intact/image/labels.h>

#include "profile.h"

namespace intact::image {

Result<std::optional<ImageId>> sealed_image(const oci::ImageConfig& config) {
  const std::string* const digest_text = config.label(std::string(kDigestLabel));
  const std::string* const format = config.label(std::string(kFormatLabel));
  if (!digest_text && !format) return std::optional<ImageId>();
  if (!digest_text || !format)
    return Error(ErrorKind::malformed, "the image has only one of the labels " +
                                           std::string(kDigestLabel) + " and " +
                                           std::string(kFormatLabel));
  const Profile& profile = *TRY(find_profile(*format));
  const Digest digest = TRY(Digest::parse(*digest_text).context(kDigestLabel));
  TRY(profile.check_labels(config, digest));
  return std::optional(ImageId{*format, digest});
}

Result<Bytes> encode_sealed(const oci::ImageConfig& config, const ImageId& image) {
  TRY(TRY(find_profile(image.format))->check_labels(config, image.digest));
  return oci::encode_with_labels(config, {{std::string(kDigestLabel), image.digest.to_string()},
                                          {std::string(kFormatLabel), image.format}});
}

}  // namespace intact::image
