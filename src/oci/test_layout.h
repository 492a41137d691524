#pragma once

// Builds image layouts for tests by plain file writes, independent of the writer under test.

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <intact/base/file.h>
#include <intact/crypto/hash.h>

namespace intact::oci::test {

struct Blob {
  std::string digest;
  std::size_t size;
};

class TestLayout {
 public:
  TestLayout() : dir_(TempDir::create().value()) {
    std::filesystem::create_directories(dir_.path("blobs/sha256"));
    write("oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  }

  const std::string& path() const { return dir_.path(); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(dir_.path(name), std::ios::binary) << text;
  }

  Blob blob(const std::string& text) {
    const Digest digest = crypto::sha256(as_bytes(text));
    write("blobs/sha256/" + digest.hex(), text);
    return {digest.to_string(), text.size()};
  }

  static std::string descriptor(const std::string& type, const Blob& blob,
                                const std::string& more = {}) {
    return R"({"mediaType":")" + type + R"(","digest":")" + blob.digest + R"(","size":)" +
           std::to_string(blob.size) + (more.empty() ? "" : "," + more) + "}";
  }

  Blob config(const std::string& architecture, const std::vector<Blob>& layers) {
    std::string ids;
    for (const Blob& layer : layers) ids += (ids.empty() ? "\"" : ",\"") + layer.digest + "\"";
    return blob(R"({"architecture":")" + architecture +
                R"(","os":"linux","rootfs":{"type":"layers","diff_ids":[)" + ids + "]}}");
  }

  /// An image of plain layers.
  Blob image(const std::string& architecture, const std::vector<std::string>& tars) {
    std::vector<Blob> layers;
    std::string descriptors;
    for (const std::string& tar : tars) {
      layers.push_back(blob(tar));
      descriptors += (descriptors.empty() ? "" : ",") +
                     descriptor("application/vnd.oci.image.layer.v1.tar", layers.back());
    }
    return blob(
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)" +
        descriptor("application/vnd.oci.image.config.v1+json", config(architecture, layers)) +
        R"(,"layers":[)" + descriptors + "]}");
  }

  static std::string index_text(const std::vector<std::string>& descriptors) {
    std::string all;
    for (const std::string& d : descriptors) all += (all.empty() ? "" : ",") + d;
    return R"({"schemaVersion":2,"manifests":[)" + all + "]}";
  }

  void index(const std::vector<std::string>& descriptors) {
    write("index.json", index_text(descriptors));
  }

 private:
  TempDir dir_;
};

inline const std::string kManifest = "application/vnd.oci.image.manifest.v1+json";
inline const std::string kIndex = "application/vnd.oci.image.index.v1+json";

inline std::string named(const std::string& name) {
  return R"("annotations":{"org.opencontainers.image.ref.name":")" + name + "\"}";
}
inline std::string on(const std::string& architecture, const std::string& os = "linux") {
  return R"("platform":{"os":")" + os + R"(","architecture":")" + architecture + "\"}";
}

}  // namespace intact::oci::test
