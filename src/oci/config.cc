#include <intact/oci/config.h>

#include "document.h"

namespace intact::oci {
namespace {

/// Strings that end up as arguments, names and variables of a process end at a NUL there.
Result<void> refuse_nul(const std::vector<std::string>& values, std::string_view key) {
  for (const std::string& value : values) {
    if (value.find('\0') != std::string::npos)
      return Error(ErrorKind::malformed, "\"" + std::string(key) + "\" contains a NUL character");
  }
  return {};
}

Result<void> parse_run_part(const Json& run, ImageConfig& config) {
  config.user = TRY(optional_string(run, "User")).value_or("");
  config.working_dir = TRY(optional_string(run, "WorkingDir")).value_or("");
  config.stop_signal = TRY(optional_string(run, "StopSignal")).value_or("");
  config.env = TRY(strings_of(run, "Env"));
  config.entrypoint = TRY(strings_of(run, "Entrypoint"));
  config.cmd = TRY(strings_of(run, "Cmd"));
  config.labels = TRY(annotations_from_json(run, "Labels"));
  if (const Json* volumes = TRY(optional_object(run, "Volumes"))) {
    for (const auto& [path, value] : volumes->get_ref<const Json::object_t&>())
      config.volumes.push_back(path);
  }
  TRY(refuse_nul({config.user}, "User"));
  TRY(refuse_nul({config.working_dir}, "WorkingDir"));
  TRY(refuse_nul({config.stop_signal}, "StopSignal"));
  TRY(refuse_nul(config.env, "Env"));
  TRY(refuse_nul(config.entrypoint, "Entrypoint"));
  TRY(refuse_nul(config.cmd, "Cmd"));
  TRY(refuse_nul(config.volumes, "Volumes"));
  return {};
}

}  // namespace

const std::string* ImageConfig::label(const std::string& key) const {
  const auto it = labels.find(key);
  return it == labels.end() ? nullptr : &it->second;
}

Result<ImageConfig> parse_config(ByteSpan bytes) {
  ImageConfig config;
  const auto parse = [&]() -> Result<void> {
    config.document = TRY(parse_json(bytes, {.bytes = kMaxDocument}));
    const Json& json = config.document;
    config.platform = TRY(platform_from_json(json));
    const Json* rootfs = TRY(require_object(json, "rootfs"));
    const std::string type = TRY(require_string(*rootfs, "type"));
    if (type != "layers")
      return Error(ErrorKind::malformed,
                   "rootfs.type is '" + type.substr(0, 100) + "', not 'layers'");
    const Json* diff_ids = TRY(require_array(*rootfs, "diff_ids"));
    if (diff_ids->size() > kMaxLayers)
      return Error(ErrorKind::limit, std::to_string(diff_ids->size()) +
                                         " layers, over the limit of " +
                                         std::to_string(kMaxLayers));
    for (const Json& id : *diff_ids) {
      if (!id.is_string())
        return Error(ErrorKind::malformed,
                     "JSON: \"diff_ids\" contains a value that is not a string");
      config.diff_ids.push_back(
          TRY(Digest::parse(id.get_ref<const std::string&>()).context("diff_ids")));
    }
    if (const Json* run = TRY(optional_object(json, "config"))) TRY(parse_run_part(*run, config));
    return {};
  };
  TRY(parse().context("image config"));
  return config;
}

Result<Bytes> encode_with_labels(const ImageConfig& config,
                                 const std::map<std::string, std::string>& labels) {
  if (!config.document.is_object())
    return Error(ErrorKind::invalid_argument, "image config: not parsed from a document");
  Json document = config.document;
  Json& run = document["config"];
  if (run.is_null()) run = Json::object();
  Json& members = run["Labels"];
  if (members.is_null()) members = Json::object();
  for (const auto& [key, value] : labels) members[key] = value;
  return to_bytes(to_text(document));
}

Bytes make_config(const Platform& platform, const std::vector<Digest>& diff_ids) {
  Json json = to_json(platform);
  json["config"] = Json::object();
  Json ids = Json::array();
  for (const Digest& id : diff_ids) ids.push_back(id.to_string());
  json["rootfs"] = {{"type", "layers"}, {"diff_ids", std::move(ids)}};
  return to_bytes(to_text(json));
}

Result<void> check_layer_count(const Manifest& manifest, const ImageConfig& config) {
  if (manifest.layers.size() == config.diff_ids.size()) return {};
  return Error(ErrorKind::malformed, "the manifest has " + std::to_string(manifest.layers.size()) +
                                         " layers, its config " +
                                         std::to_string(config.diff_ids.size()));
}

}  // namespace intact::oci
