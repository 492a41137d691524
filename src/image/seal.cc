#include <algorithm>
#include <chrono>
#include <set>

#include <intact/base/file.h>
#include <intact/image/labels.h>
#include <intact/image/seal.h>
#include <intact/oci/image_destination.h>
#include <intact/oci/image_source.h>
#include <intact/oci/media_types.h>
#include <intact/sign/identity.h>
#include <intact/sign/signature_image.h>

#include "base_image.h"
#include "composefs_annotations.h"
#include "composefs_artifact.h"
#include "layers.h"
#include "pending_key.h"
#include "profile.h"
#include "progress_meter.h"
#include "signatures.h"
#include "source_chain.h"

namespace intact::image {
namespace {

using Transport = oci::Reference::Transport;

bool is_plain(Transport transport) {
  return transport == Transport::rootfs || transport == Transport::tar;
}

/// Where the result goes, with its tag.
Result<oci::Reference> choose_destination(const oci::Reference& source,
                                          const std::optional<oci::Reference>& asked,
                                          const std::string& source_tag) {
  if (!asked && source.transport != Transport::oci)
    return Error(ErrorKind::invalid_argument,
                 to_string(source) +
                     ": a source of this kind needs a DEST; add one such as "
                     "oci:DIR:TAG");
  oci::Reference reference = asked.value_or(source);
  const std::string tag = source_tag.empty() ? "latest" : source_tag;
  if (!asked) {
    reference.digest.reset();
    reference.tag = tag + "-sealed";
  } else if (reference.tag.empty() && !reference.digest) {
    reference.tag = tag;
  }
  return reference;
}

/// Replaces Docker's media types of layers by OCI's names for the same bytes.
void use_oci_types(oci::Manifest& manifest) {
  manifest.media_type = oci::kManifestType;
  for (oci::Descriptor& layer : manifest.layers) {
    const oci::MediaType type = oci::classify(layer.media_type);
    if (!type.docker) continue;
    switch (type.compression) {
      case oci::Compression::gzip:
        layer.media_type = oci::kLayerGzipType;
        break;
      case oci::Compression::zstd:
        layer.media_type = oci::kLayerZstdType;
        break;
      default:
        layer.media_type = oci::kLayerType;
        break;
    }
  }
}

Result<void> refuse_other_image(const oci::ImageDestination& destination,
                                const oci::Reference& reference, const Digest& manifest) {
  for (const oci::Descriptor& present : destination.tagged()) {
    if (present.digest == manifest) continue;
    return Error(ErrorKind::exists, to_string(reference) + ": another image has this tag (" +
                                        present.digest.to_string() +
                                        "); choose another tag, or remove that image first");
  }
  return {};
}

/// A build on top of a sealed image inherits its labels and may be sealed; a source whose labels
/// name its very own tree is sealed already. It may be sealed into another place, to be signed
/// there with another key, but not a second time in its own layout.
Result<void> refuse_sealed(const oci::Reference& source, const oci::Reference& destination,
                           const oci::ImageConfig& config, const Digest& image) {
  const std::string* const label = config.label(std::string(kDigestLabel));
  if (label == nullptr || *label != image.to_string()) return {};
  if (source.path != destination.path) return {};
  return Error(ErrorKind::invalid_argument,
               to_string(source) +
                   ": already sealed; to sign it with another key, seal the image that "
                   "it was made from");
}

/// A sealed image without its signature, and not visible yet.
struct Draft {
  std::unique_ptr<oci::ImageDestination> destination;
  ArtifactSubject image;
  SealReport report;
  std::set<Digest> parts;  ///< of the image that was sealed: its own documents and layers
};

/// The source, as far as documents go.
struct SourceImage {
  std::unique_ptr<oci::ImageSource> images;  ///< none for a directory or a tar
  oci::Manifest manifest;
  oci::ImageConfig config;
  std::string tag;
  std::set<Digest> parts;
};

Result<SourceImage> open_source(const oci::Reference& reference, const SealOptions& options) {
  SourceImage source;
  source.tag = reference.tag;
  if (is_plain(reference.transport)) return source;
  source.images =
      TRY(registry::open_source(reference, options.limits.decompress, options.source_registry));
  const auto [found, through] =
      TRY(source.images->locate(reference.tag, options.platform.value_or(oci::Platform::host())));
  if (source.tag.empty()) source.tag = found.annotation(oci::kRefName);
  oci::ImageDocuments documents = TRY(oci::read_image(*source.images, found));
  source.parts = {found.digest, documents.manifest.config.digest};
  source.parts.insert(through.begin(), through.end());
  for (const oci::Descriptor& layer : documents.manifest.layers) source.parts.insert(layer.digest);
  source.manifest = std::move(documents.manifest);
  source.config = std::move(documents.config);
  TRY(check_platform(source.config, options.platform).context(to_string(reference)));
  return source;
}

/// Stages the layers of the source as they are opened, and tells `meter` how many bytes there are
/// to unpack. Each is hashed as a whole on its way into the layout, or where it is there already
/// into a copy, and then unpacked from those very bytes. The references must outlive the result.
Result<LayerOpener> stage_layers(const oci::Reference& reference, SourceImage& source,
                                 oci::ImageDestination& destination, const SealOptions& options,
                                 PendingKey& key, ProgressMeter& meter) {
  LayerOpener open_layer;
  std::uint64_t layer_bytes = 0;
  if (source.images) {
    layer_bytes = 2 * stored_bytes(source.manifest.layers);
    open_layer = [&](const oci::Descriptor& layer) -> Result<std::unique_ptr<ByteStream>> {
      const auto advance = [&](std::uint64_t bytes) {
        meter.advance(bytes);
        return key.check();
      };
      return TRY(destination.copy_blob(*source.images, layer, advance)).open();
    };
  } else {
    // Compressing takes long, and nothing in it looks at the key.
    TRY(key.wait());
    BaseImage base =
        TRY(make_base_image(reference, options.platform.value_or(oci::Platform::host()),
                            destination, options.limits, options.owner, meter));
    source.manifest = std::move(base.manifest);
    source.config = std::move(base.config);
    layer_bytes = base.layer_bytes;
    open_layer = [open = std::move(base.open_layer)](const oci::Descriptor&) { return open(); };
  }
  meter.begin("Unpacking", layer_bytes);
  return LayerOpener([open_layer = std::move(open_layer), &meter,
                      &key](const oci::Descriptor& layer) -> Result<std::unique_ptr<ByteStream>> {
    auto metered = std::make_unique<MeteredStream>(TRY(open_layer(layer)), meter);
    return std::make_unique<WhileKeyMayOpen>(std::move(metered), key);
  });
}

Result<const Profile*> profile_named(const std::string& name) {
  std::string known;
  for (const Profile* profile : profiles()) {
    if (profile->name() == name) return profile;
    known += (known.empty() ? "'" : ", '") + std::string(profile->name()) + "'";
  }
  return Error(ErrorKind::unsupported,
               "--profile " + name + ": unknown profile; only " + known + " is supported");
}

/// The digests by which other tools know the image, if its layers have the tree that these are of.
/// Without them the image is sealed all the same, unless they are to be signed.
Result<AlgorithmDigests> digests_for_others(const CanonicalTree& canonical,
                                            const Sha512Digests& sha512, const SealOptions& options,
                                            std::vector<std::string>& warnings) {
  auto merged = merged_digests(canonical, &sha512);
  if (merged) return merged;
  if (options.artifact_certificate)
    return std::move(merged).error().with_context("--composefs-artifact");
  if (merged.error().kind() != ErrorKind::unsupported && merged.error().kind() != ErrorKind::limit)
    return std::move(merged).error();
  warnings.push_back("sealed without composefs.merged annotations, which other tools read: " +
                     merged.error().message());
  return AlgorithmDigests();
}

/// All work that needs no key. It ends early, with `cancelled`, when `key` does not open.
Result<Draft> make_draft(const oci::Reference& reference,
                         const std::optional<oci::Reference>& asked_destination,
                         const SealOptions& options, PendingKey& key) {
  if (!options.identity.empty()) TRY(sign::parse_identity(options.identity).context("--identity"));
  if (options.owner && reference.transport != Transport::rootfs)
    return Error(ErrorKind::invalid_argument,
                 "--owner: only for rootfs: sources; images and tars have owners of their own");

  const bool is_notation = options.signature_format == SignatureFormat::notation_jws ||
                           options.signature_format == SignatureFormat::notation_cose;
  if (is_notation != options.certificates.has_value())
    return Error(ErrorKind::invalid_argument,
                 is_notation ? "--signature-format: Notation signs with certificates; pass "
                               "--certificate FILE"
                             : "--certificate: only for the signature formats notation-jws and "
                               "notation-cose");

  const Profile& profile = *TRY(profile_named(options.profile));
  SourceImage source = TRY(open_source(reference, options));
  SealReport report;
  report.destination = TRY(choose_destination(reference, asked_destination, source.tag));
  auto destination =
      TRY(registry::open_destination(report.destination, options.destination_registry));
  ProgressMeter meter(options.progress);
  const LayerOpener open_layer =
      TRY(stage_layers(reference, source, *destination, options, key, meter));

  // Two trees of the same layers, which are read once.
  CanonicalTree canonical;
  Sha512Digests sha512;
  const bool annotates = options.composefs_annotations || options.artifact_certificate;
  const auto sink = profile.content_sink(nullptr, annotates ? &sha512 : nullptr);
  UnpackLimits limits = options.limits;
  limits.layers.warn_without_end_mark = reference.transport == Transport::tar;
  oci::Manifest& manifest = source.manifest;
  const tree::Tree tree = TRY(apply_layers(manifest, source.config, open_layer, *sink, limits,
                                           report.warnings, annotates ? &canonical : nullptr));
  TRY(tree.walk([&](const std::string&, const tree::Entry&) -> Result<void> {
    ++report.files;
    return {};
  }));
  report.layers = manifest.layers.size();
  report.image = {std::string(profile.format()), TRY(profile.seal(tree)).digest()};
  TRY(refuse_sealed(reference, report.destination, source.config, report.image.digest));

  Bytes config = TRY(encode_sealed(source.config, report.image));
  manifest.config = TRY(destination->put_document(config, oci::kConfigType));
  use_oci_types(manifest);
  drop_composefs_annotations(manifest);
  AlgorithmDigests merged;
  if (annotates) merged = TRY(digests_for_others(canonical, sha512, options, report.warnings));
  if (options.composefs_annotations && merged.any())
    put_composefs_annotations(manifest, merged, config);
  Bytes encoded = oci::encode_manifest(manifest);
  oci::Descriptor sealed = TRY(destination->put_document(encoded, oci::kManifestType));
  report.manifest = sealed.digest;
  TRY(refuse_other_image(*destination, report.destination, sealed.digest));
  return Draft{std::move(destination),
               {std::move(sealed), std::move(encoded), std::move(config), merged},
               std::move(report),
               std::move(source.parts)};
}

/// Signs the draft, unless the layout has it with such a signature, and enters both.
Result<void> sign_draft(Draft& draft, const SealOptions& options, const sign::PrivateKey& key) {
  const oci::Descriptor& manifest = draft.image.manifest;
  const auto present = TRY(draft.destination->reader(draft.parts));
  SignatureState old = TRY(read_signatures(*present, manifest));
  if (old.damage) return std::move(*old.damage);  // the signatures of others would be lost
  const bool is_tagged = !draft.destination->tagged().empty();
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const sign::SigningPayload payload{
      .docker_reference = options.identity,
      .manifest = manifest.digest,
      .time = std::chrono::duration_cast<std::chrono::seconds>(now).count(),
      .serial = options.serial};
  const PutSignatures put = TRY(put_signatures(
      *draft.destination, manifest, old, payload,
      {.key = key, .certificates = options.certificates, .format = options.signature_format}));
  draft.report.signature = put.manifest;
  draft.report.unchanged = put.unchanged && is_tagged;
  if (!options.artifact_certificate) return {};
  const bool unchanged =
      TRY(put_composefs_artifacts(*draft.destination, *present, draft.image, key.signing_key(),
                                  *options.artifact_certificate)
              .context("--composefs-artifact"));
  draft.report.unchanged = draft.report.unchanged && unchanged;
  return {};
}

}  // namespace

Result<SignatureFormat> parse_signature_format(std::string_view text) {
  if (text == "classic") return SignatureFormat::classic;
  if (text == "bundle") return SignatureFormat::bundle;
  if (text == "both") return SignatureFormat::both;
  if (text == "notation-jws") return SignatureFormat::notation_jws;
  if (text == "notation-cose") return SignatureFormat::notation_cose;
  return Error(ErrorKind::invalid_argument,
               "--signature-format is classic, bundle, both, notation-jws or notation-cose, not '" +
                   std::string(text) + "'");
}

Result<void> check_profile(const std::string& name) {
  TRY(profile_named(name));
  return {};
}

Result<SealReport> seal(const oci::Reference& source,
                        const std::optional<oci::Reference>& destination,
                        std::future<Result<sign::PrivateKey>> opening, const SealOptions& options) {
  PendingKey pending(std::move(opening));
  auto made = make_draft(source, destination, options, pending);
  const sign::PrivateKey key = TRY(pending.get());
  if (!made) return std::move(made).error();
  Draft& draft = *made;

  TRY(sign_draft(draft, options, key));
  ProgressMeter(options.progress).begin("Writing to disk", 0);
  TRY(draft.destination->commit());
  return std::move(draft.report);
}

}  // namespace intact::image
