#pragma once

#include <map>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/json/json.h>
#include <intact/oci/descriptor.h>
#include <intact/oci/manifest.h>

namespace intact::oci {

/// How an image is to be run and what its layers must hash to (image-spec, config.md).
struct ImageConfig {
  Json document;  ///< the whole, with unknown fields and the order of keys
  Platform platform;
  std::vector<Digest> diff_ids;  ///< of the uncompressed layer tars, base first
  std::string user;
  std::string working_dir;
  std::string stop_signal;
  std::vector<std::string> env;
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::map<std::string, std::string> labels;
  std::vector<std::string> volumes;

  /// The label's value, or null.
  const std::string* label(const std::string& key) const;
};

Result<ImageConfig> parse_config(ByteSpan bytes);

/// The bytes of the config with `labels` added or replaced; everything else as it was.
Result<Bytes> encode_with_labels(const ImageConfig& config,
                                 const std::map<std::string, std::string>& labels);

/// A config for one made here out of layers alone (rootfs:, tar:): platform and diff_ids.
Bytes make_config(const Platform& platform, const std::vector<Digest>& diff_ids);

/// malformed unless manifest and config tell of the same number of layers.
Result<void> check_layer_count(const Manifest& manifest, const ImageConfig& config);

}  // namespace intact::oci
