#include "overlay_view.h"

#include <fmt/format.h>

#include <intact/composefs/read.h>

#include "format.h"

namespace intact::composefs {
namespace {

Error malformed(std::string_view what) {
  return Error(ErrorKind::malformed, fmt::format("composefs image: {}", what));
}

}  // namespace

Result<std::unique_ptr<erofs::Image>> open_image(std::shared_ptr<const ByteSource> source,
                                                 ImageInfo* info) {
  RawHeader header;
  if (source->size() < sizeof header) return malformed("too short");
  TRY(source->read(0, std::as_writable_bytes(std::span(&header, 1))));
  if (header.magic.get() != kHeaderMagic)
    return malformed("not a composefs image (wrong magic number)");
  if (header.version.get() != kHeaderVersion || header.format_version.get() > kMaxReadableVersion)
    return Error(ErrorKind::unsupported,
                 fmt::format("composefs image of version {}, format {}: made by a newer program",
                             header.version.get(), header.format_version.get()));
  auto image = TRY(erofs::Image::open(std::move(source)));
  if (info) {
    info->format_version = header.format_version.get();
    info->has_acl = (header.flags.get() & kHeaderFlagAcl) != 0;
    info->inodes = image->superblock().inodes;
    info->size = image->superblock().size;
  }
  return image;
}

OverlayView overlay_view(std::vector<tree::Xattr> stored) {
  OverlayView view;
  view.shown.reserve(stored.size());
  for (tree::Xattr& xattr : stored) {
    if (xattr.name == kRedirect) {
      view.redirect = std::move(xattr.value);
    } else if (xattr.name == kMetacopy) {
      view.metacopy = std::move(xattr.value);
    } else if (xattr.name.starts_with(kEscapedPrefix)) {
      xattr.name.erase(0, kEscapedPrefix.size());
      xattr.name.insert(0, kOverlayPrefix);
      view.shown.push_back(std::move(xattr));
    } else if (!xattr.name.starts_with(kOverlayPrefix)) {
      view.shown.push_back(std::move(xattr));
    }
  }
  return view;
}

Result<std::string> OverlayView::payload() const {
  if (!redirect) return std::string();
  if (!redirect->starts_with('/') || !is_legal_payload(std::string_view(*redirect).substr(1)))
    return malformed("a redirect that is not a plain path below the objects");
  return redirect->substr(1);
}

Result<std::optional<Digest>> OverlayView::digest() const {
  if (!metacopy || metacopy->empty()) return std::nullopt;
  const auto bytes = as_bytes(*metacopy);
  const auto raw = load<RawMetacopy>(bytes, 0);
  if (!raw || raw->version != 0 || raw->flags != 0 || raw->length != bytes.size())
    return malformed("metacopy attribute in an unknown format");
  const ByteSpan digest = bytes.subspan(sizeof(RawMetacopy));
  if (raw->hash_algorithm == 0 && digest.empty()) return std::nullopt;
  if (raw->hash_algorithm != static_cast<std::uint8_t>(HashAlgorithm::sha256) &&
      raw->hash_algorithm != static_cast<std::uint8_t>(HashAlgorithm::sha512))
    return malformed("metacopy attribute with a digest of unknown algorithm");
  return TRY(Digest::create(static_cast<HashAlgorithm>(raw->hash_algorithm), digest));
}

}  // namespace intact::composefs
