#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/json/json.h>
#include <intact/oci/descriptor.h>

namespace intact::oci {

/// Documents (manifest, index, config) larger than this are refused, in bytes.
inline constexpr std::uint64_t kMaxDocument = 4 << 20;
/// Layers of one image. Container engines stop between 127 and 500.
inline constexpr std::size_t kMaxLayers = 500;

/// One image: its config and its layers, base first (image-spec, manifest.md; Docker's schema 2 is
/// the same but for names).
struct Manifest {
  std::string media_type;
  Descriptor config;
  std::vector<Descriptor> layers;
  Annotations annotations;
  std::string artifact_type;
  std::optional<Descriptor> subject;
  Json document;  ///< what it was parsed from, or null
};

/// Parses a manifest whose bytes were fetched as `expected_media_type` (of the descriptor or the
/// Content-Type; empty: not known). Refuses (malformed) documents that could be read as an index
/// too and a mediaType that disagrees; unsupported: Docker's schema 1.
Result<Manifest> parse_manifest(ByteSpan bytes, std::string_view expected_media_type);

/// The manifest's bytes. Fields of `document` that are not known here are kept, in their order.
Bytes encode_manifest(const Manifest& manifest);

/// Refuses (unsupported) everything that is not an image that can run: build caches, other
/// artifacts, encrypted layers, layers of unknown types.
Result<void> check_is_image(const Manifest& manifest);

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
