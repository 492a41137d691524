#include <algorithm>

#include <fmt/format.h>

#include <intact/base/text.h>
#include <intact/base/visible.h>
#include <intact/report/contents.h>

namespace intact::report {
namespace {

bool is_empty_text(const Json& value) {
  return value.is_string() && value.get_ref<const std::string&>().empty();
}

}  // namespace

std::string to_text(const FoundLayers& found) {
  std::string text = fmt::format("{}: {} bytes\n", visible(found.file), found.size);
  if (found.layers.empty()) text += "  no known format\n";
  std::string indent = "  ";
  for (const stack::Content& layer : found.layers) {
    text += fmt::format("{}{}, at byte {}\n", indent, layer.title, layer.offset);
    indent += "  ";
    for (const auto& [key, value] : layer.facts.items())
      if (!is_empty_text(value))
        text += fmt::format("{}{}: {}\n", indent, key,
                            value.is_string() ? value.get<std::string>() : intact::to_text(value));
  }
  return text;
}

Json to_json(const FoundLayers& found) {
  Json layers = Json::array();
  for (const stack::Content& layer : found.layers) {
    layers.push_back({{"format", layer.format}, {"offset", layer.offset}});
    layers.back().update(layer.facts);
  }
  return {{"file", found.file}, {"size", found.size}, {"layers", std::move(layers)}};
}

std::string to_text(const ComposefsImage& image) {
  return fmt::format(
      "{}\n  format:  composefs-{}\n  digest:  {}\n  size:    {} bytes\n"
      "  inodes:  {} (up to 256 of them are whiteouts that hide the objects)\n"
      "  ACLs:    {}\n",
      image.file, image.info.format_version, image.digest.to_string(), image.info.size,
      image.info.inodes, image.info.has_acl ? "yes" : "no");
}

Json to_json(const ComposefsImage& image) {
  return {{"image", image.file},
          {"format", image.info.format_version},
          {"digest", image.digest.to_string()},
          {"size", image.info.size},
          {"inodes", image.info.inodes},
          {"acl", image.info.has_acl}};
}

Json dump_json(std::string_view dump) {
  Json lines = Json::array();
  while (!dump.empty()) lines.push_back(std::string(take_until(dump, '\n')));
  return {{"lines", std::move(lines)}};
}

}  // namespace intact::report
