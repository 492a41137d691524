#include "composefs_annotations.h"

#include <array>
#include <string_view>
#include <utility>

#include <intact/base/visible.h>
#include <intact/composefs/write.h>
#include <intact/fsverity/tree.h>

#include "composefs_profile.h"

namespace intact::image {
namespace {

constexpr std::string_view kPrefix = "composefs.";
constexpr std::string_view kMergedSha256 = "composefs.merged.erofs.v1.fsverity-sha256-12";
constexpr std::string_view kMergedSha512 = "composefs.merged.erofs.v1.fsverity-sha512-12";
constexpr std::string_view kConfigSha256 = "composefs.config.fsverity-sha256-12";
constexpr std::string_view kConfigSha512 = "composefs.config.fsverity-sha512-12";

Result<std::optional<Digest>> annotated(const oci::Annotations& annotations, std::string_view key,
                                        HashAlgorithm algorithm) {
  const auto found = annotations.find(std::string(key));
  if (found == annotations.end()) return std::optional<Digest>();
  const auto digest = Digest::parse_hex(found->second);
  if (!digest || digest->algorithm() != algorithm || digest->hex() != found->second)
    return Error(ErrorKind::malformed, "the annotation " + std::string(key) + " is '" +
                                           visible(found->second.substr(0, 200)) + "', not a " +
                                           std::string(to_string(algorithm)) +
                                           " digest in lower-case hexadecimal");
  return std::optional(*digest);
}

Result<AlgorithmDigests> annotated_both(const oci::Annotations& annotations,
                                        std::string_view sha256, std::string_view sha512) {
  return AlgorithmDigests{TRY(annotated(annotations, sha256, HashAlgorithm::sha256)),
                          TRY(annotated(annotations, sha512, HashAlgorithm::sha512))};
}

AlgorithmDigests digests_of(ByteSpan document) {
  return {fsverity::digest_of(document),
          fsverity::digest_of(document, {.algorithm = HashAlgorithm::sha512})};
}

Result<Digest> merged_digest(const CanonicalTree& canonical, const CanonicalRules& rules,
                             const Sha512Digests* sha512) {
  const tree::Tree tree = TRY(canonical.tree(rules, sha512));
  const Bytes image = TRY(composefs::write_image(tree, {.min_version = 1, .max_version = 1}));
  return fsverity::digest_of(image,
                             {.algorithm = sha512 ? HashAlgorithm::sha512 : HashAlgorithm::sha256});
}

void drop(oci::Annotations& annotations) {
  std::erase_if(annotations, [](const auto& item) { return item.first.starts_with(kPrefix); });
}

void put(oci::Annotations& annotations, std::string_view key, const std::optional<Digest>& digest) {
  if (digest) annotations.insert_or_assign(std::string(key), digest->hex());
}

struct Deviation {
  CanonicalRules rules;
  std::string_view text;
};

/// What tools have been seen to do otherwise, alone and together where one brings the other.
std::vector<Deviation> deviations() {
  using Xattrs = CanonicalRules::Xattrs;
  return {
      {{.xattrs = Xattrs::user_too}, "the extended attributes in 'user.' are kept"},
      {{.xattrs = Xattrs::all}, "all extended attributes are kept"},
      {{.root_from_usr = false}, "the root is described by its own entry instead of /usr"},
      {{.empty_run = false}, "/run is kept as it is"},
      {{.symlink_modes = false}, "symbolic links have mode 0777"},
      {{.root_from_usr = false, .empty_run = false},
       "the root is described by its own entry instead of /usr, and /run is kept as it is"},
      {{.root_from_usr = false, .empty_run = false, .symlink_modes = false, .xattrs = Xattrs::all},
       "root, /run, extended attributes and symbolic links are kept as in the layers"},
  };
}

/// Only for a message, so all errors mean "no".
std::string differing_rule(const CanonicalTree& canonical, const Sha512Digests* sha512,
                           const Digest& wanted) {
  for (const Deviation& deviation : deviations()) {
    const auto made = merged_digest(canonical, deviation.rules, sha512);
    if (made && *made == wanted)
      return "; it is the digest of a tree in which " + std::string(deviation.text) +
             ", so the image was sealed by other rules than those of erofs.v1";
  }
  return "; no known difference between the tools explains that";
}

Result<void> check_one(const CanonicalTree& canonical, const Sha512Digests* sha512,
                       std::string_view key, const Digest& wanted) {
  auto made = merged_digest(canonical, {}, sha512);
  if (!made && made.error().kind() == ErrorKind::unsupported)
    return Error(ErrorKind::tampered, "its layers have no tree that " + std::string(key) +
                                          " could name: " + made.error().message());
  if (TRY(std::move(made)) == wanted) return {};
  return Error(ErrorKind::tampered, "its layers do not make the image that " + std::string(key) +
                                        " names, " + wanted.hex() +
                                        differing_rule(canonical, sha512, wanted));
}

}  // namespace

Result<AlgorithmDigests> merged_digests(const CanonicalTree& canonical, const Sha512Digests* sha512,
                                        const CanonicalRules& rules) {
  AlgorithmDigests digests;
  digests.sha256 = TRY(merged_digest(canonical, rules, nullptr));
  if (sha512) digests.sha512 = TRY(merged_digest(canonical, rules, sha512));
  return digests;
}

Result<AlgorithmDigests> annotated_merged(const oci::Manifest& manifest) {
  return annotated_both(manifest.annotations, kMergedSha256, kMergedSha512);
}

std::optional<store::ImageId> sealed_by_annotation(const AlgorithmDigests& merged) {
  if (!merged.sha256) return std::nullopt;
  return store::ImageId{std::string(composefs_profile().format()), *merged.sha256};
}

Result<std::optional<store::ImageId>> sealed_image(const oci::Manifest& manifest,
                                                   const oci::ImageConfig& config) {
  auto by_labels = TRY(sealed_image(config));
  if (by_labels) return by_labels;
  return sealed_by_annotation(TRY(annotated_merged(manifest)));
}

Result<void> check_config_annotations(const oci::Manifest& manifest, ByteSpan config) {
  const AlgorithmDigests wanted =
      TRY(annotated_both(manifest.config.annotations, kConfigSha256, kConfigSha512));
  const AlgorithmDigests has = digests_of(config);
  if ((wanted.sha256 && wanted.sha256 != has.sha256) ||
      (wanted.sha512 && wanted.sha512 != has.sha512))
    return Error(ErrorKind::tampered,
                 "the config is not the one that the annotation " +
                     std::string(wanted.sha256 && wanted.sha256 != has.sha256 ? kConfigSha256
                                                                              : kConfigSha512) +
                     " names");
  return {};
}

void drop_composefs_annotations(oci::Manifest& manifest) {
  drop(manifest.annotations);
  drop(manifest.config.annotations);
  for (oci::Descriptor& layer : manifest.layers) drop(layer.annotations);
}

void put_composefs_annotations(oci::Manifest& manifest, const AlgorithmDigests& merged,
                               ByteSpan config) {
  put(manifest.annotations, kMergedSha256, merged.sha256);
  put(manifest.annotations, kMergedSha512, merged.sha512);
  const AlgorithmDigests of_config = digests_of(config);
  put(manifest.config.annotations, kConfigSha256, of_config.sha256);
  put(manifest.config.annotations, kConfigSha512, of_config.sha512);
}

Result<void> check_merged(const CanonicalTree& canonical, const Sha512Digests* sha512,
                          const AlgorithmDigests& wanted) {
  if (wanted.sha256) TRY(check_one(canonical, nullptr, kMergedSha256, *wanted.sha256));
  if (wanted.sha512) TRY(check_one(canonical, sha512, kMergedSha512, *wanted.sha512));
  return {};
}

}  // namespace intact::image
