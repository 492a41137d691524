#include <algorithm>

#include <intact/base/visible.h>
#include <intact/image/chain.h>
#include <intact/image/labels.h>
#include <intact/oci/media_types.h>
#include <intact/oci/reference.h>
#include <intact/sign/signature_image.h>

#include "composefs_annotations.h"
#include "local_seals.h"
#include "pull_memory.h"
#include "source_chain.h"
#include "stored_evidence.h"
#include "stored_image.h"

namespace intact::image {
namespace {

std::string to_text(const ImageId& image) {
  return visible(image.format.substr(0, 100)) + " image " + image.digest.to_string();
}

/// A sealed image under a similar tag, for the message about one that is not.
std::string similar_tag(const oci::ImageSource& source, const oci::Reference& reference,
                        const oci::Descriptor& found) {
  const std::string tag = reference.tag.empty() ? found.annotation(oci::kRefName) : reference.tag;
  oci::Reference sealed = reference;
  sealed.tag = tag + "-sealed";
  const std::vector<std::string> names = source.names();
  if (std::ranges::find(names, sealed.tag) == names.end()) return "";
  return "; did you mean " + oci::to_string(sealed) + "?";
}

std::optional<sign::Verdict> signer_of(sign::Verdict verdict) {
  if (!verdict.is_signed()) return std::nullopt;
  return verdict;
}

/// The verdict on a stored image. If no good signature is left and one is damaged, the damage is
/// what the user has to hear of.
Result<sign::Verdict> check_stored_trust(const store::Store& store, const store::NamedImage& record,
                                         const sign::Anchors& anchors) {
  auto evidence = TRY(read_stored_evidence(store, record).context("signature"));
  auto verdict = sign::check_trust(evidence.pieces, record.manifest, record.name, anchors);
  if (!verdict && verdict.error().kind() == ErrorKind::untrusted && evidence.damage)
    return std::move(*evidence.damage).with_context("signature");
  return verdict;
}

/// The last link: from the config or the local seal to the image.
Result<ImageId> sealed_by(const std::optional<ImageId>& labels,
                          const std::optional<StoredSeal>& seal) {
  // The pull found out that the labels are those of the base, and signed that.
  const bool is_stale = labels && seal && seal->seal.base == labels->digest;
  if (is_stale) return seal->image();
  if (labels && seal && *labels != seal->image())
    return Error(ErrorKind::untrusted,
                 "its local seal is for another image than its publisher sealed; pull it again");
  if (labels) return *labels;
  if (seal) return seal->image();
  return Error(ErrorKind::untrusted,
               "not sealed by its publisher, and it has no local seal; pull it again with `intact "
               "pull SOURCE NAME`, which verifies and seals it");
}

/// What the manifest leads to must not be revoked either.
Result<void> check_parts(const Chain& chain, const sign::Anchors& anchors) {
  std::vector<Digest> parts{chain.manifest.config.digest};
  parts.reserve(chain.manifest.layers.size() + 2);
  for (const oci::Descriptor& layer : chain.manifest.layers) parts.push_back(layer.digest);
  // Not known yet of an image that its publisher has not sealed.
  if (!chain.image.format.empty()) parts.push_back(chain.image.digest);
  return sign::check_not_revoked(parts, chain.manifest_digest, anchors);
}

/// Everything above the documents: seal, evidence, and what this machine remembers.
struct Vouched {
  std::optional<StoredSeal> seal;
  Origin origin;
  sign::Verdict verdict;
};
Result<Vouched> check_vouched(const store::Store& store, const store::NamedImage& record,
                              const sign::Anchors& anchors) {
  const std::string about = "'" + record.name + "'";
  auto seal = TRY(find_local_seal(store, record).context(about));
  Origin origin = TRY(origin_of(anchors, store, record));
  auto verdict =
      check_stored_trust(store, record, anchors_with(anchors, seal, origin)).context(about);
  // Without the seal that has gone there may be nothing to trust the image for.
  if (!verdict && !seal && verdict.error().kind() == ErrorKind::untrusted)
    TRY(check_local_seal_is_there(anchors, store, record.name, record.manifest));
  Vouched vouched{std::move(seal), std::move(origin), TRY(std::move(verdict))};
  TRY(check_pull_memory(
      anchors, store, record.name,
      {record.manifest, vouched.seal ? std::optional(vouched.seal->document) : std::nullopt}));
  return vouched;
}

}  // namespace

std::string_view to_string(SealKind kind) {
  switch (kind) {
    case SealKind::publisher:
      return "publisher";
    case SealKind::local:
      return "local";
    case SealKind::none:
      break;
  }
  return "none";
}

Result<void> check_name_allowed(const store::Store& store, const store::NamedImage& record,
                                const Chain& chain, const sign::Anchors& anchors) {
  std::optional<StoredSeal> seal;
  if (chain.local_seal) seal = StoredSeal{{}, *chain.local_seal};
  TRY(check_stored_trust(store, record, anchors_with(anchors, seal, chain.origin))
          .context("'" + record.name + "'"));
  return {};
}

Result<Chain> check_chain(const store::Store& store, const store::NamedImage& record,
                          const sign::Anchors& anchors) {
  auto [seal, origin, verdict] = TRY(check_vouched(store, record, anchors));
  const std::string about = "'" + record.name + "'";
  Chain chain;
  chain.manifest_digest = record.manifest;
  chain.origin = std::move(origin);
  chain.basis = verdict.basis();
  chain.signer = signer_of(std::move(verdict));

  chain.manifest =
      TRY(oci::parse_manifest(TRY(read_needed(store, record.manifest, oci::kMaxDocument)), "")
              .context("manifest of " + about));
  TRY(oci::check_is_image(chain.manifest));
  const Bytes config = TRY(read_needed(store, chain.manifest.config.digest, oci::kMaxDocument));
  chain.config = TRY(oci::parse_config(config).context("config of " + about));
  const auto labels = TRY(sealed_image(chain.manifest, chain.config).context(about));
  chain.image = TRY(sealed_by(labels, seal).context(about));
  if (chain.image != record.image)
    return Error(ErrorKind::tampered, record.name + ": the store's record names the " +
                                          to_text(record.image) + ", but the " +
                                          (seal ? "local seal" : "signed config") + " the " +
                                          to_text(chain.image) + "; pull it again");
  if (seal) chain.local_seal = std::move(seal->seal);
  TRY(check_parts(chain, anchors).context(about));
  return chain;
}

Result<void> check_platform(const oci::ImageConfig& config,
                            const std::optional<oci::Platform>& wanted) {
  if (!wanted || oci::matches(*wanted, config.platform)) return {};
  return Error(ErrorKind::unsupported, "the image is for " + oci::to_string(config.platform) +
                                           ", not for " + oci::to_string(*wanted) +
                                           "; choose another image, or leave out --platform");
}

Result<SourceChain> check_source_chain(const oci::Reference& reference, const std::string& name,
                                       const std::optional<oci::Platform>& platform,
                                       const sign::Anchors& anchors,
                                       const oci::DecompressLimits& limits,
                                       const registry::Options& registry) {
  SourceChain result;
  result.source = TRY(registry::open_source(reference, limits, registry));
  oci::Located located =
      TRY(result.source->locate(reference.tag, platform.value_or(oci::Platform::host())));
  const oci::Descriptor& found = located.manifest;
  result.signatures = TRY(read_signatures(*result.source, found));
  Chain& chain = result.chain;
  chain.manifest_digest = found.digest;
  chain.origin = {.place = place_of(reference), .through = std::move(located.through)};
  sign::Anchors& with = result.anchors = anchors_with(anchors, {}, chain.origin);
  // To pull by the digest of an index is to pin everything that it contains.
  if (anchors.pin && reference.digest == anchors.pin) with.pin = found.digest;
  auto verdict = sign::check_trust(result.signatures.evidence, found.digest, name, with);
  if (!verdict && verdict.error().kind() == ErrorKind::untrusted) {
    if (result.signatures.damage) return std::move(*result.signatures.damage);
    return Error(ErrorKind::untrusted, oci::to_string(reference) + ": " +
                                           verdict.error().message() +
                                           similar_tag(*result.source, reference, found));
  }
  chain.basis = TRY(Result<sign::Verdict>(verdict).context(oci::to_string(reference))).basis();
  chain.signer = signer_of(*std::move(verdict));

  oci::ImageDocuments documents = TRY(oci::read_image(*result.source, found));
  chain.manifest = std::move(documents.manifest);
  chain.config = std::move(documents.config);
  result.manifest_bytes = std::move(documents.manifest_bytes);
  result.config_bytes = std::move(documents.config_bytes);
  TRY(check_platform(chain.config, platform).context(oci::to_string(reference)));
  auto sealed = TRY(sealed_image(chain.config).context(oci::to_string(reference)));
  if (!sealed) {
    // Beside labels they may be those of a base image, as the labels themselves (stale_seal.h).
    TRY(check_config_annotations(chain.manifest, result.config_bytes)
            .context(oci::to_string(reference)));
    result.merged = TRY(annotated_merged(chain.manifest).context(oci::to_string(reference)));
    sealed = sealed_by_annotation(result.merged);
  }
  result.is_sealed = sealed.has_value();
  if (sealed) chain.image = *sealed;
  TRY(check_parts(chain, anchors).context(oci::to_string(reference)));
  if (chain.signer) result.suggested_name = chain.signer->identity;
  if (result.suggested_name.empty()) result.suggested_name = reference.tag;
  result.unsigned_name = found.annotation(oci::kRefName);
  return result;
}

Result<void> check_for_name(SourceChain& source, const std::string& name) {
  sign::Anchors anchors = source.anchors;
  anchors.judge_all = true;
  sign::Verdict verdict =
      TRY(sign::check_trust(source.signatures.evidence, source.chain.manifest_digest, name, anchors)
              .context("as '" + visible(name) + "'"));
  source.chain.basis = verdict.basis();
  source.chain.signer = signer_of(std::move(verdict));
  return {};
}

}  // namespace intact::image
