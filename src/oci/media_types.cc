#include <algorithm>
#include <array>

#include <intact/oci/media_types.h>

namespace intact::oci {
namespace {

using Kind = MediaType::Kind;

struct Known {
  std::string_view name;
  MediaType type;
};

constexpr std::array<Known, 18> kKnown{{
    {kIndexType, {Kind::index}},
    {kManifestType, {Kind::manifest}},
    {kConfigType, {Kind::config}},
    {kDockerIndexType, {Kind::index, true}},
    {kDockerManifestType, {Kind::manifest, true}},
    {"application/vnd.docker.container.image.v1+json", {Kind::config, true}},
    {kLayerType, {Kind::layer}},
    {kLayerGzipType, {Kind::layer, false, false, Compression::gzip}},
    {kLayerZstdType, {Kind::layer, false, false, Compression::zstd}},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar", {Kind::layer}},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
     {Kind::layer, false, false, Compression::gzip}},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
     {Kind::layer, false, false, Compression::zstd}},
    {"application/vnd.docker.image.rootfs.diff.tar", {Kind::layer, true}},
    {"application/vnd.docker.image.rootfs.diff.tar.gzip",
     {Kind::layer, true, false, Compression::gzip}},
    {"application/vnd.docker.image.rootfs.diff.tar.zstd",
     {Kind::layer, true, false, Compression::zstd}},
    {"application/vnd.docker.image.rootfs.diff.tar.bzip2",
     {Kind::layer, true, false, Compression::bzip2}},
    {"application/vnd.docker.image.rootfs.diff.tar.xz",
     {Kind::layer, true, false, Compression::xz}},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
     {Kind::layer, true, false, Compression::gzip}},
}};

}  // namespace

std::string_view to_string(Compression compression) {
  switch (compression) {
    case Compression::none:
      return "none";
    case Compression::gzip:
      return "gzip";
    case Compression::zstd:
      return "zstd";
    case Compression::xz:
      return "xz";
    case Compression::bzip2:
      return "bzip2";
  }
  return "unknown";
}

Compression detect_compression(ByteSpan first_bytes) {
  const std::string_view text = as_text(first_bytes);
  using namespace std::string_view_literals;
  if (text.starts_with("\x1f\x8b")) return Compression::gzip;
  if (text.starts_with("\x28\xb5\x2f\xfd")) return Compression::zstd;
  if (text.size() >= 4 && (text[0] & 0xf0) == 0x50 && text.substr(1, 3) == "\x2a\x4d\x18")
    return Compression::zstd;
  if (text.starts_with("\xfd\x37zXZ\0"sv)) return Compression::xz;
  // Three letters alone are too weak a sign: a plain tar may begin with a file called "BZh...".
  if (text.size() >= 6 && text.starts_with("BZh") && text[3] >= '1' && text[3] <= '9' &&
      (text.substr(4, 2) == "\x31\x41" || text.substr(4, 2) == "\x17\x72"))
    return Compression::bzip2;
  return Compression::none;
}

MediaType classify(std::string_view media_type) {
  constexpr std::string_view kEncrypted = "+encrypted";
  bool encrypted = false;
  if (media_type.ends_with(kEncrypted)) {
    encrypted = true;
    media_type.remove_suffix(kEncrypted.size());
  }
  const auto known = std::find_if(kKnown.begin(), kKnown.end(),
                                  [&](const Known& k) { return k.name == media_type; });
  if (known == kKnown.end() || (encrypted && known->type.kind != Kind::layer)) return {};
  MediaType type = known->type;
  type.encrypted = encrypted;
  return type;
}

}  // namespace intact::oci
