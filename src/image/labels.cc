#include <string>

#include <intact/image/labels.h>

namespace intact::image {
namespace {

/// composefs-rs writes the digest with its algorithm or bare.
Result<Digest> parse_composefs_label(std::string_view text) {
  return text.find(':') == std::string_view::npos ? Digest::parse_hex(text) : Digest::parse(text);
}

Result<void> check_composefs_label(const oci::ImageConfig& config, const Digest& image) {
  const std::string* text = config.label(std::string(kComposefsLabel));
  if (!text) return {};
  if (TRY(parse_composefs_label(*text).context(kComposefsLabel)) == image) return {};
  return Error(ErrorKind::malformed, "the label " + std::string(kComposefsLabel) +
                                         " names the image " + *text + ", not " +
                                         image.to_string() +
                                         ": labels that contradict each other are refused");
}

}  // namespace

Result<std::optional<Digest>> sealed_digest(const oci::ImageConfig& config) {
  const std::string* digest_text = config.label(std::string(kDigestLabel));
  const std::string* format = config.label(std::string(kFormatLabel));
  if (!digest_text && !format) return std::optional<Digest>();
  if (!digest_text || !format)
    return Error(ErrorKind::malformed, "the image has only one of the labels " +
                                           std::string(kDigestLabel) + " and " +
                                           std::string(kFormatLabel));
  if (*format != kFormat)
    return Error(ErrorKind::unsupported, "the image is sealed in the format '" +
                                             format->substr(0, 64) + "'; this version knows " +
                                             std::string(kFormat));
  const Digest digest = TRY(Digest::parse(*digest_text).context(kDigestLabel));
  if (digest.algorithm() != HashAlgorithm::sha256)
    return Error(ErrorKind::unsupported,
                 std::string(kDigestLabel) + ": " + std::string(kFormat) + " uses sha256");
  TRY(check_composefs_label(config, digest));
  return std::optional<Digest>(digest);
}

Result<Bytes> encode_sealed(const oci::ImageConfig& config, const Digest& image) {
  TRY(check_composefs_label(config, image));
  return oci::encode_with_labels(config, {{std::string(kDigestLabel), image.to_string()},
                                          {std::string(kFormatLabel), std::string(kFormat)}});
}

}  // namespace intact::image
