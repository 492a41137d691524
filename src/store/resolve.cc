#include <algorithm>
#include <optional>

#include <intact/store/name.h>
#include <intact/store/resolve.h>

namespace intact::store {
namespace {

constexpr std::string_view kAlgorithm = "sha256:";

/// The digits of a whole or short digest; nothing if `text` is not one.
std::optional<std::string_view> digits_of(std::string_view text) {
  if (text.starts_with(kAlgorithm)) text.remove_prefix(kAlgorithm.size());
  const bool hex = std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!hex || text.size() < kMinShortDigest || text.size() > 64) return std::nullopt;
  return text;
}

bool fits(std::string_view digits, const Digest& digest) {
  return digest.hex().starts_with(digits);
}

/// NAME and the digits of NAME@DIGEST.
std::optional<std::pair<std::string, std::string_view>> split(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0) return std::nullopt;
  const auto digits = digits_of(text.substr(at + 1));
  if (!digits) return std::nullopt;
  return std::pair(std::string(text.substr(0, at)), *digits);
}

Result<NamedImage> require_digest(NamedImage image, std::string_view digits,
                                  const std::string& text) {
  if (fits(digits, image.manifest)) return image;
  return Error(ErrorKind::not_found, text + ": no such image in the store; '" + image.name +
                                         "' is " + image.manifest.to_string());
}

/// All names of the one image that has the digest, sorted; none if no image has it.
Result<std::vector<NamedImage>> find_by_digest(const Store& store, const std::string& text,
                                               std::string_view digits) {
  // A damaged record refers to nothing; fsck tells of it.
  std::vector<Error> damaged;
  std::vector<NamedImage> found;
  for (NamedImage& image : TRY(store.list(&damaged)))
    if (fits(digits, image.manifest) || fits(digits, image.image.digest))
      found.push_back(std::move(image));
  std::ranges::sort(found, {}, &NamedImage::name);
  for (const NamedImage& image : found) {
    if (image.manifest == found.front().manifest) continue;
    return Error(ErrorKind::invalid_argument, text + ": fits several images, '" +
                                                  found.front().name + "' and '" + image.name +
                                                  "'; give more digits, or a name");
  }
  return found;
}

}  // namespace

Result<std::vector<NamedImage>> resolve_names(const Store& store, const std::string& text) {
  const auto digits = digits_of(text);
  std::vector<NamedImage> by_digest;
  if (digits) by_digest = TRY(find_by_digest(store, text, *digits));
  if (is_digest_form(text)) {
    if (by_digest.empty())
      return Error(ErrorKind::not_found, text + ": the store has no image with this digest");
    return by_digest;
  }

  const auto pinned = split(text);
  auto named = store.find(text);
  if (named) {
    if (pinned) named = TRY(require_digest(std::move(*named), pinned->second, text));
    if (!by_digest.empty() && by_digest.front().manifest != named->manifest)
      return Error(ErrorKind::invalid_argument,
                   text + ": the name of one image, and the digest of '" + by_digest.front().name +
                       "'; write sha256:" + text + " for the digest, or remove the name");
    return std::vector{std::move(*named)};
  }
  if (named.error().kind() != ErrorKind::not_found &&
      named.error().kind() != ErrorKind::invalid_argument)
    return std::move(named).error();
  if (pinned)
    return std::vector{TRY(require_digest(TRY(store.find(pinned->first)), pinned->second, text))};
  if (by_digest.empty()) return std::move(named).error();
  return by_digest;
}

bool has_digest_of(std::string_view text, const Digest& manifest) {
  if (const auto pinned = split(text)) return fits(pinned->second, manifest);
  const auto digits = digits_of(text);
  return digits && fits(*digits, manifest);
}

Result<void> check_digest_in_name(std::string_view name, const Digest& manifest) {
  const auto pinned = split(name);
  if (!pinned || fits(pinned->second, manifest)) return {};
  return Error(ErrorKind::invalid_argument,
               std::string(name) + ": ends in the digest of another image; this one is " +
                   manifest.to_string());
}

Result<NamedImage> resolve_image(const Store& store, const std::string& text) {
  return std::move(TRY(resolve_names(store, text)).front());
}

}  // namespace intact::store
