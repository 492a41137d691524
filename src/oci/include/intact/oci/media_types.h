#pragma once

#include <string>
#include <string_view>

#include <intact/base/bytes.h>

namespace intact::oci {

enum class Compression { none, gzip, zstd, xz, bzip2 };

std::string_view to_string(Compression compression);

/// Identifies a compressed stream by its first bytes (six are enough; zstd skippable frames count
/// as zstd). Everything else, also nothing at all, is `none`.
Compression detect_compression(ByteSpan first_bytes);

// Media types that Intact writes. Docker's equivalents are read as well (see classify()).
inline constexpr std::string_view kIndexType = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kManifestType = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kConfigType = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kLayerType = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kLayerGzipType = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kLayerZstdType = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view kEmptyType = "application/vnd.oci.empty.v1+json";
inline constexpr std::string_view kDockerManifestType =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerIndexType =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kBuildCacheConfigType = "application/vnd.buildkit.cacheconfig.v0";

// Annotations of descriptors.
inline constexpr std::string_view kRefName = "org.opencontainers.image.ref.name";
inline constexpr std::string_view kContainerdName = "io.containerd.image.name";
/// cosign's mark in layouts that `cosign save` writes, with the two values below.
inline constexpr std::string_view kCosignKind = "kind";
inline constexpr std::string_view kCosignKindImage = "dev.cosignproject.cosign/image";
inline constexpr std::string_view kCosignKindSignatures = "dev.cosignproject.cosign/sigs";

/// What a media type says about the bytes.
struct MediaType {
  enum class Kind { index, manifest, config, layer, unknown };
  Kind kind = Kind::unknown;
  bool docker = false;     ///< Docker's name of the type
  bool encrypted = false;  ///< an ocicrypt layer
  /// Layers: what is claimed. Bytes decide in the end: tools mislabel.
  Compression compression = Compression::none;
};

MediaType classify(std::string_view media_type);

}  // namespace intact::oci
