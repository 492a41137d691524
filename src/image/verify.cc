#include <algorithm>
#include <cerrno>
#include <utility>

#include <intact/image/verify.h>
#include <intact/oci/blob_copy.h>

#include "layers.h"
#include "profile.h"
#include "progress_meter.h"
#include "source_chain.h"
#include "stale_seal.h"
#include "stored_image.h"

namespace intact::image {
namespace {

/// Whether a blob could not be copied because of the blob, and not because of this process: its
/// temporary directory, its limits. Only EIO tells of a disk that cannot read what it has.
bool is_damage(const Error& error) {
  return error.kind() != ErrorKind::io || error.sys_errno() == 0 || error.sys_errno() == EIO;
}

/// Whether an error of opening a blob says something about the blob. What keeps us from a registry
/// does not.
bool tells_of_blob(const oci::Reference& reference, const Error& error) {
  return reference.transport != oci::Reference::Transport::docker ||
         error.kind() == ErrorKind::not_found || error.kind() == ErrorKind::tampered ||
         error.kind() == ErrorKind::malformed;
}

/// The reason of the error, without the digest that the report gives anyway.
std::string about_layer(const oci::Descriptor& layer, const Error& error) {
  const std::string about = layer.digest.to_string() + ": ";
  const std::string& text = error.message();
  return text.starts_with(about) ? text.substr(about.size()) : text;
}

}  // namespace

Result<VerifyReport> verify_stored(store::Store& store, const std::string& name,
                                   const VerifyOptions& options) {
  const HeldImage held = TRY(hold_image(store, name, options.anchors));
  const Chain& chain = held.chain;
  TRY(check_platform(chain.config, options.platform).context("'" + held.record.name + "'"));
  attach_object_dirs(store, held.record);
  VerifyReport report;
  report.name = held.record.name;
  report.source = held.record.source;
  report.manifest = chain.manifest_digest;
  report.image = chain.image;
  report.signer = chain.signer;
  report.basis = chain.basis;
  report.seal = chain.seal_kind();
  const Profile& profile = *TRY(find_profile(chain.image.format));
  TRY(profile.verify(store, chain.image.digest, options, report));
  return report;
}

Result<VerifyReport> verify_source(const oci::Reference& reference, const VerifyOptions& options) {
  const SourceChain source =
      TRY(check_source_chain(reference, "", options.platform, options.anchors,
                             options.limits.decompress, options.registry));
  const Chain& chain = source.chain;
  VerifyReport report;
  report.manifest = chain.manifest_digest;
  report.image = chain.image;
  report.signer = chain.signer;
  report.basis = chain.basis;
  report.seal = source.is_sealed || source.merged.any() ? SealKind::publisher : SealKind::none;
  ProgressMeter meter(options.progress);
  const auto advance = [&](std::uint64_t bytes) -> Result<void> {
    meter.advance(bytes);
    return {};
  };
  // Each layer is read once, into our own copy, and unpacked from there.
  const auto open_checked =
      [&](const oci::Descriptor& layer) -> Result<std::unique_ptr<ByteStream>> {
    std::optional<oci::BlobCopy> copy;
    bool is_there = false;
    const auto done =
        oci::read_from_places(*source.source, layer, [&](ByteStream& stored) -> Result<void> {
          is_there = true;
          copy = TRY(oci::BlobCopy::read(stored, layer, advance));
          return {};
        });
    const bool is_theirs = done || (is_there ? is_damage(done.error())
                                             : !done.error().concerns_caller() &&
                                                   tells_of_blob(reference, done.error()));
    if (!is_theirs) return Error(done.error());
    ++report.layers;
    report.bytes += layer.size;
    if (!done)
      report.damaged.push_back(
          {.object = object_of_blob(layer.digest), .reason = about_layer(layer, done.error())});
    report.layer_checks.push_back({layer.digest, layer.size, done.has_value()});
    if (!done) return Error(done.error());
    return std::make_unique<MeteredStream>(std::move(*copy).open(), meter);
  };
  meter.begin("Reading layers", 2 * stored_bytes(chain.manifest.layers));
  std::vector<std::string> warnings;
  const Profile& profile =
      source.is_sealed ? *TRY(find_profile(chain.image.format)) : *profiles().front();
  // With labels the tree is that of the labels, and the annotations have to hold beside them.
  const AlgorithmDigests merged =
      TRY(annotated_merged(chain.manifest).context(oci::to_string(reference)));
  CanonicalTree canonical;
  Sha512Digests sha512;
  const auto sink = profile.content_sink(nullptr, merged.sha512 ? &sha512 : nullptr);
  auto tree = apply_layers(chain.manifest, chain.config, open_checked, *sink, options.limits,
                           warnings, merged.any() ? &canonical : nullptr);
  if (!report.ok()) {
    // Nothing above a damaged layer can be unpacked; all the others are checked as well.
    for (std::size_t i = report.layer_checks.size(); i < chain.manifest.layers.size(); ++i)
      (void)open_checked(chain.manifest.layers[i]).has_value();
    return report;
  }
  if (!tree) return std::move(tree).error();
  const auto fits_annotations = [&]() -> Result<bool> {
    if (!merged.any()) return true;
    auto checked = check_merged(canonical, &sha512, merged);
    if (!checked && checked.error().kind() != ErrorKind::tampered)
      return std::move(checked).error();
    if (!checked)
      report.damaged.push_back({.object = object_of_blob(chain.manifest_digest),
                                .range = DamagedRange(),
                                .reason = checked.error().message()});
    return checked.has_value();
  };
  if (source.merged.any()) {
    if (!TRY(fits_annotations())) return report;
    *tree = TRY(canonical.tree());
  }
  TRY(tree->walk([&](const std::string&, const tree::Entry& entry) -> Result<void> {
    ++report.files;
    if (!entry.hard_link && !entry.inode->payload.empty()) ++report.objects;
    return {};
  }));
  const Digest made = TRY(profile.seal(*tree)).digest();
  bool is_sealed = source.is_sealed;
  if (is_sealed && made != report.image.digest) {
    const auto open_again =
        [&](const oci::Descriptor& layer) -> Result<std::unique_ptr<ByteStream>> {
      std::optional<oci::BlobCopy> copy;
      TRY(oci::read_from_places(*source.source, layer, [&](ByteStream& stored) -> Result<void> {
        copy = TRY(oci::BlobCopy::read(stored, layer));
        return {};
      }));
      return std::move(*copy).open();
    };
    is_sealed = !TRY(layers_of_sealed_base(chain, open_again, options.limits));
    if (!is_sealed) report.seal = SealKind::none;
  }
  if (!is_sealed) report.image = {std::string(profile.format()), made};
  if (made != report.image.digest) {
    report.damaged.push_back({.object = "images/" + chain.image.digest.hex(),
                              .range = DamagedRange(),
                              .reason = "the layers make the image " + made.to_string() +
                                        ", but it was sealed as " +
                                        chain.image.digest.to_string()});
    return report;
  }
  // Beside labels they have to hold as well, unless all that the image inherited is of its base.
  if (!source.merged.any() && is_sealed) {
    TRY(check_config_annotations(chain.manifest, source.config_bytes)
            .context(oci::to_string(reference)));
    if (!TRY(fits_annotations())) return report;
  }
  if (options.tree) options.tree(std::move(*tree));
  return report;
}

}  // namespace intact::image
