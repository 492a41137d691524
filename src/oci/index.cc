#include <intact/oci/manifest.h>
#include <intact/oci/media_types.h>

#include "document.h"

namespace intact::oci {

static std::string ref_name(const Json& object) {
  auto annotations = annotations_from_json(object, "annotations");
  return annotations ? (*annotations)[std::string(kRefName)] : std::string();
}

Result<Index> parse_index(ByteSpan bytes, std::string_view expected_media_type) {
  Index index;
  const auto parse = [&]() -> Result<void> {
    const Json json = TRY(parse_json(bytes, {.bytes = kMaxDocument}));
    index.media_type =
        TRY(check_document(json, expected_media_type, MediaType::Kind::index, "index"));
    const Json* manifests = TRY(require_array(json, "manifests"));
    for (std::size_t i = 0; i < manifests->size(); ++i) {
      auto descriptor = descriptor_from_json((*manifests)[i]).context("entry " + std::to_string(i));
      if (descriptor) {
        index.manifests.push_back(std::move(*descriptor));
      } else if (descriptor.error().kind() == ErrorKind::unsupported) {
        index.unreadable.push_back(
            {ref_name((*manifests)[i]), std::move(descriptor).context("index").error()});
      } else {
        return std::move(descriptor).error();
      }
    }
    index.annotations = TRY(annotations_from_json(json, "annotations"));
    index.artifact_type = TRY(optional_string(json, "artifactType")).value_or("");
    return {};
  };
  TRY(parse().context("index"));
  return index;
}

}  // namespace intact::oci
