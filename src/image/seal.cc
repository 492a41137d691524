#include <algorithm>

#include <intact/base/file.h>
#include <intact/image/labels.h>
#include <intact/image/seal.h>
#include <intact/oci/image_source.h>
#include <intact/oci/layout_writer.h>
#include <intact/oci/media_types.h>
#include <intact/sign/identity.h>
#include <intact/sign/signature_image.h>

#include "base_image.h"
#include "layers.h"
#include "object_sink.h"
#include "paths.h"
#include "progress_meter.h"
#include "signatures.h"

namespace intact::image {
namespace {

using Transport = oci::Reference::Transport;

bool is_plain(Transport transport) {
  return transport == Transport::rootfs || transport == Transport::tar;
}

/// Where the result goes: the layout directory that is written, and for oci-archive: the file that
/// is made of it at the end.
struct Destination {
  oci::Reference reference;
  std::string directory;
  std::optional<TempDir> scratch;
};

Result<Destination> choose_destination(const oci::Reference& source,
                                       const std::optional<oci::Reference>& asked,
                                       const std::string& source_tag) {
  if (!asked) {
    if (source.transport != Transport::oci)
      return Error(ErrorKind::invalid_argument, "a DEST is needed for a source of " +
                                                    std::string(to_string(source.transport)) +
                                                    ":, e.g. oci:DIR:TAG");
    oci::Reference reference = source;
    reference.tag = (source_tag.empty() ? "latest" : source_tag) + "-sealed";
    return Destination{reference, source.path, std::nullopt};
  }
  oci::Reference reference = *asked;
  if (reference.tag.empty()) reference.tag = source_tag.empty() ? "latest" : source_tag;
  if (reference.transport == Transport::oci)
    return Destination{reference, reference.path, std::nullopt};
  if (reference.transport != Transport::oci_archive)
    return Error(ErrorKind::unsupported,
                 "images are sealed to oci:DIR[:TAG] and oci-archive:FILE[:TAG], not to " +
                     std::string(to_string(reference.transport)) + ":");
  if (::access(reference.path.c_str(), F_OK) == 0)
    return Error(ErrorKind::exists, reference.path + " exists; remove it or choose another file");
  TempDir scratch = TRY(TempDir::create(parent_directory(reference.path), ".intact-seal-"));
  const std::string directory = scratch.path("layout");
  return Destination{reference, directory, std::move(scratch)};
}

/// Docker's names of the same bytes, in the words of a manifest that calls itself OCI.
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

std::uint64_t sum_of_sizes(const std::vector<oci::Descriptor>& layers) {
  std::uint64_t sum = 0;
  for (const oci::Descriptor& layer : layers) sum += layer.size;
  return sum;
}

Result<void> refuse_other_image(const oci::LayoutWriter& layout, const oci::Reference& destination,
                                const Digest& manifest) {
  for (const oci::Descriptor& present : layout.find_tag(destination.tag)) {
    if (present.digest == manifest) continue;
    return Error(ErrorKind::exists, to_string(destination) + " is another image (" +
                                        present.digest.to_string() +
                                        "): choose another tag, or remove that one first");
  }
  return {};
}

}  // namespace

Result<SealReport> seal(const oci::Reference& source,
                        const std::optional<oci::Reference>& asked_destination,
                        const sign::PrivateKey& key, const SealOptions& options) {
  if (!options.identity.empty()) TRY(sign::parse_identity(options.identity).context("--identity"));

  // The source, as far as documents go.
  std::unique_ptr<oci::ImageSource> images;
  oci::Manifest manifest;
  oci::ImageConfig config;
  std::string source_tag = source.tag;
  if (!is_plain(source.transport)) {
    images = TRY(oci::ImageSource::open(source, options.limits.decompress));
    const oci::Descriptor found = TRY(images->resolve(source.tag, options.platform));
    if (source_tag.empty()) source_tag = found.annotation(oci::kRefName);
    oci::ImageDocuments documents = TRY(oci::read_image(*images, found));
    manifest = std::move(documents.manifest);
    config = std::move(documents.config);
  }

  Destination destination = TRY(choose_destination(source, asked_destination, source_tag));
  auto layout = TRY(oci::LayoutWriter::open_or_create(destination.directory));

  // The layers: every stored byte is hashed here, before anything is inflated.
  ProgressMeter meter(options.progress);
  LayerOpener open_layer;
  if (images) {
    meter.begin("Reading layers", sum_of_sizes(manifest.layers));
    for (const oci::Descriptor& layer : manifest.layers)
      TRY(layout->copy_blob(*images, layer, [&meter](std::uint64_t n) { meter.advance(n); }));
    open_layer = [&images](const oci::Descriptor& layer) { return images->open_blob(layer); };
  } else {
    meter.begin("Making a layer", 0);
    BaseImage base = TRY(make_base_image(source, options.platform, *layout,
                                         parent_directory(destination.directory), options.limits));
    manifest = std::move(base.manifest);
    config = std::move(base.config);
    open_layer = [open = std::move(base.open_layer)](const oci::Descriptor&) { return open(); };
  }

  const LayerOpener open_metered =
      [&](const oci::Descriptor& layer) -> Result<std::unique_ptr<ByteStream>> {
    return std::make_unique<MeteredStream>(TRY(open_layer(layer)), meter);
  };
  meter.begin("Unpacking", sum_of_sizes(manifest.layers));

  SealReport report;
  report.destination = destination.reference;
  ObjectSink sink(nullptr);
  const tree::Tree tree =
      TRY(apply_layers(manifest, config, open_metered, sink, options.limits, report.warnings));
  TRY(tree.walk([&](const std::string&, const tree::Entry&) -> Result<void> {
    ++report.files;
    return {};
  }));
  report.layers = manifest.layers.size();
  report.image = TRY(make_composefs(tree)).merkle.digest;

  // The documents and the signature over them.
  manifest.config =
      TRY(layout->put_blob(TRY(encode_sealed(config, report.image)), oci::kConfigType));
  use_oci_types(manifest);
  const oci::Descriptor sealed =
      TRY(layout->put_blob(oci::encode_manifest(manifest), oci::kManifestType));
  report.manifest = sealed.digest;
  TRY(refuse_other_image(*layout, destination.reference, sealed.digest));

  const SignatureState old = TRY(read_signatures(destination.directory, sealed.digest));
  const sign::SigningPayload payload{options.identity, sealed.digest};
  oci::Descriptor signatures;
  if (old.descriptor && old.has(payload, key.public_key())) {
    signatures = *old.descriptor;
    report.unchanged = !layout->find_tag(destination.reference.tag).empty();
  } else {
    signatures = TRY(put_signature(*layout, old, payload, key));
  }
  report.signature = signatures.digest;

  TRY(name_sealed_image(*layout, destination.reference, sealed, signatures));
  meter.begin("Writing to disk", 0);
  TRY(layout->commit());
  if (destination.scratch)
    TRY(oci::write_layout_archive(destination.directory, destination.reference.path));
  return report;
}

}  // namespace intact::image
