// Manifests, indexes and configs: refused, or read.
#include <intact/image/labels.h>
#include <intact/oci/config.h>
#include <intact/oci/manifest.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const ByteSpan bytes = fuzz::input(data, size);
  (void)oci::parse_manifest(bytes, "application/vnd.oci.image.manifest.v1+json");
  (void)oci::parse_index(bytes, "application/vnd.oci.image.index.v1+json");
  const auto config = oci::parse_config(bytes);
  if (!config) return 0;
  if (!image::sealed_image(*config)) return 0;
  const store::ImageId id{std::string(store::kFirstFormat),
                          Digest(HashAlgorithm::sha256, Bytes(32))};
  const auto sealed = image::encode_sealed(*config, id);
  if (sealed) {
    const auto again = oci::parse_config(*sealed);
    fuzz::require(again.has_value() && image::sealed_image(*again).value() == id);
  }
  return 0;
}
