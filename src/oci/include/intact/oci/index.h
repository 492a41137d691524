#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/json/json.h>
#include <intact/oci/descriptor.h>

namespace intact::oci {

/// A list of manifests: an image for several platforms, or the names of a layout.
struct Index {
  std::string media_type;
  std::vector<Descriptor> manifests;
  Annotations annotations;
  std::string artifact_type;

  /// Entries that cannot be followed because their digest algorithm is unknown here. They may stay
  /// where they are; an error only for who asks for one of them.
  struct Unreadable {
    std::string ref_name;
    Error error;
  };
  std::vector<Unreadable> unreadable;
};

/// Parses an index, with the same rules as parse_manifest(). A layout's index.json may lack the
/// mediaType and has no descriptor: pass an empty `expected_media_type`.
Result<Index> parse_index(ByteSpan bytes, std::string_view expected_media_type);

}  // namespace intact::oci
