#pragma once

// Images for tests, in a registry in memory.

#include <string>

#include <intact/oci/media_types.h>

#include "test_registry.h"

namespace intact::registry::test {

inline const oci::Platform kAmd64{"linux", "amd64", ""};

inline std::string descriptor(const std::string& type, const std::string& bytes,
                              const std::string& more = {}) {
  return R"({"mediaType":")" + type + R"(","digest":")" + digest_of(bytes) + R"(","size":)" +
         std::to_string(bytes.size()) + more + "}";
}

/// An image with one layer.
struct Image {
  std::string layer, config, manifest;
};
inline Image make_image(Registry& registry, std::string layer, const std::string& tag = "t") {
  Image image{std::move(layer), {}, {}};
  image.config = R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[")" +
                 digest_of(image.layer) + "\"]}}";
  image.manifest = R"({"schemaVersion":2,"mediaType":")" + std::string(oci::kManifestType) +
                   R"(","config":)" + descriptor(std::string(oci::kConfigType), image.config) +
                   R"(,"layers":[)" + descriptor(std::string(oci::kLayerType), image.layer) + "]}";
  registry.add_blob(image.layer);
  registry.add_blob(image.config);
  registry.add_manifest(image.manifest, tag);
  return image;
}

inline std::string big_text(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 7 + i / 251) % 256);
  return text;
}

}  // namespace intact::registry::test
