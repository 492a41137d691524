#include <algorithm>

#include <intact/base/visible.h>
#include <intact/image/chain.h>
#include <intact/image/labels.h>
#include <intact/oci/media_types.h>
#include <intact/sign/signature_image.h>

#include "pull_memory.h"
#include "source_chain.h"
#include "stored_evidence.h"
#include "stored_image.h"

namespace intact::image {
namespace {

/// The last link: from the config to the image.
Result<ImageId> require_sealed(const oci::ImageConfig& config, const std::string& what) {
  const auto image = TRY(sealed_image(config).context(what));
  if (!image)
    return Error(ErrorKind::unsupported, what + ": not sealed (its config has no label " +
                                             std::string(kDigestLabel) +
                                             "); seal it with `intact seal`");
  return *image;
}

std::string to_text(const ImageId& image) {
  return visible(image.format.substr(0, 100)) + " image " + image.digest.to_string();
}

/// What to say of an image in a layout or archive that is not sealed.
Error not_sealed(const oci::ImageSource& source, const oci::Reference& reference,
                 const oci::Descriptor& found, ErrorKind kind) {
  std::string tag = reference.tag.empty() ? found.annotation(oci::kRefName) : reference.tag;
  oci::Reference sealed = reference;
  sealed.tag = tag + "-sealed";
  const std::vector<std::string> names = source.names();
  const bool is_there = std::find(names.begin(), names.end(), sealed.tag) != names.end();
  return Error(kind, oci::to_string(reference) + ": not sealed, its config has no label " +
                         std::string(kDigestLabel) + "; " +
                         (is_there ? "did you mean " + oci::to_string(sealed) + "?"
                                   : std::string("seal it with `intact seal`")));
}

/// Of an image that nobody trusts the user wants to know first that it is not a sealed one at all.
/// Nothing that is read here is believed; it only chooses among errors.
Result<void> say_if_unsealed(const oci::ImageSource& source, const oci::Reference& reference,
                             const oci::Descriptor& found) {
  const auto documents = oci::read_image(source, found);
  if (!documents || documents->config.label(std::string(kDigestLabel)) != nullptr) return {};
  return not_sealed(source, reference, found, ErrorKind::untrusted);
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

}  // namespace

Result<void> check_name_allowed(const store::Store& store, const store::NamedImage& record,
                                const sign::Anchors& anchors) {
  TRY(check_stored_trust(store, record, anchors).context("'" + record.name + "'"));
  return {};
}

Result<Chain> check_chain(const store::Store& store, const store::NamedImage& record,
                          const sign::Anchors& anchors) {
  const std::string& name = record.name;
  Chain chain;
  chain.manifest_digest = record.manifest;
  chain.signer =
      signer_of(TRY(check_stored_trust(store, record, anchors).context("'" + name + "'")));
  TRY(check_pull_memory(anchors, store, name, record.manifest));

  chain.manifest =
      TRY(oci::parse_manifest(TRY(read_needed(store, record.manifest, oci::kMaxDocument)), "")
              .context("manifest of '" + name + "'"));
  TRY(oci::check_is_image(chain.manifest));
  const Bytes config = TRY(read_needed(store, chain.manifest.config.digest, oci::kMaxDocument));
  chain.config = TRY(oci::parse_config(config).context("config of '" + name + "'"));
  chain.image = TRY(require_sealed(chain.config, "'" + name + "'"));
  if (chain.image != record.image)
    return Error(ErrorKind::tampered, name + ": the store's record names the " +
                                          to_text(record.image) + ", but the signed config the " +
                                          to_text(chain.image) + "; pull it again");
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
                                       const oci::DecompressLimits& limits) {
  SourceChain result;
  result.source = TRY(oci::ImageSource::open(reference, limits));
  const oci::Descriptor found =
      TRY(result.source->resolve(reference.tag, platform.value_or(oci::Platform::host())));
  result.signatures = TRY(read_signatures(*result.source, found));
  Chain& chain = result.chain;
  chain.manifest_digest = found.digest;
  auto verdict = sign::check_trust(result.signatures.evidence, found.digest, name, anchors);
  if (!verdict && verdict.error().kind() == ErrorKind::untrusted) {
    if (result.signatures.damage) return std::move(*result.signatures.damage);
    TRY(say_if_unsealed(*result.source, reference, found));
  }
  chain.signer = signer_of(TRY(std::move(verdict).context(oci::to_string(reference))));

  oci::ImageDocuments documents = TRY(oci::read_image(*result.source, found));
  chain.manifest = std::move(documents.manifest);
  chain.config = std::move(documents.config);
  result.manifest_bytes = std::move(documents.manifest_bytes);
  result.config_bytes = std::move(documents.config_bytes);
  TRY(check_platform(chain.config, platform).context(oci::to_string(reference)));
  const auto sealed = TRY(sealed_image(chain.config).context(oci::to_string(reference)));
  if (!sealed) return not_sealed(*result.source, reference, found, ErrorKind::unsupported);
  chain.image = *sealed;
  if (chain.signer) result.suggested_name = chain.signer->identity;
  if (result.suggested_name.empty()) result.suggested_name = reference.tag;
  if (result.suggested_name.empty()) result.suggested_name = found.annotation(oci::kRefName);
  return result;
}

}  // namespace intact::image
