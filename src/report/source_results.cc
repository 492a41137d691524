// Images that are somewhere else than in a store.
#include <fmt/format.h>

#include <intact/base/visible.h>
#include <intact/report/results.h>

namespace intact::report {
namespace {

constexpr std::size_t kMaxShownTags = 20;

Json describe(const oci::Descriptor& descriptor) {
  Json json{{"digest", descriptor.digest.to_string()},
            {"mediaType", descriptor.media_type},
            {"size", descriptor.size}};
  if (descriptor.platform) json["platform"] = oci::to_string(*descriptor.platform);
  if (!descriptor.artifact_type.empty()) json["artifactType"] = descriptor.artifact_type;
  return json;
}

Json describe(const std::vector<oci::Descriptor>& descriptors) {
  Json json = Json::array();
  for (const oci::Descriptor& one : descriptors) json.push_back(describe(one));
  return json;
}

std::string list_text(const char* title, const std::vector<oci::Descriptor>& descriptors) {
  if (descriptors.empty()) return "";
  std::string text = fmt::format("{}:\n", title);
  for (const oci::Descriptor& one : descriptors) {
    text += "  " + one.digest.to_string();
    if (one.platform) text += "  " + visible(oci::to_string(*one.platform));
    text += fmt::format("  {}  {} bytes\n",
                        visible(one.artifact_type.empty() ? one.media_type : one.artifact_type),
                        one.size);
  }
  return text;
}

std::string tags_text(const std::vector<std::string>& tags) {
  if (tags.empty()) return "";
  std::string text = "Tags:     ";
  for (std::size_t i = 0; i < tags.size() && i < kMaxShownTags; ++i) text += " " + visible(tags[i]);
  if (tags.size() > kMaxShownTags) text += fmt::format(" ... ({} in all; see --json)", tags.size());
  return text + "\n";
}

}  // namespace

Json to_json(const image::SourceSummary& summary) {
  Json json = describe(summary.top);
  json["name"] = to_string(summary.reference);
  if (summary.is_index) json["manifests"] = describe(summary.manifests);
  if (summary.config) {
    json["config"] = describe(*summary.config);
    json["layers"] = describe(summary.layers);
  }
  if (summary.platform) json["platform"] = oci::to_string(*summary.platform);
  json["tags"] = summary.tags;
  json["referrers"] = describe(summary.referrers);
  json["signatures"] = describe(summary.signatures);
  return json;
}

std::string to_text(const image::SourceSummary& summary) {
  std::string text = fmt::format("Name:      {}\nDigest:    {}\nType:      {}\n",
                                 visible(to_string(summary.reference)),
                                 summary.top.digest.to_string(), visible(summary.top.media_type));
  if (summary.platform)
    text += fmt::format("Platform:  {}\n", visible(oci::to_string(*summary.platform)));
  text += list_text("Platforms", summary.manifests);
  text += list_text("Layers", summary.layers);
  text += list_text("Signatures (not verified)", summary.signatures);
  text += list_text("Referrers (not verified)", summary.referrers);
  return text + tags_text(summary.tags);
}

}  // namespace intact::report
