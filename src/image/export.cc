#include <algorithm>

#include <intact/base/file.h>
#include <intact/base/output_file.h>
#include <intact/oci/image_destination.h>
#include <intact/oci/media_types.h>
#include <intact/oci/tree_tar.h>

#include "export_context.h"
#include "export_forms.h"
#include "signatures.h"

namespace intact::image {
namespace {

/// The blobs of a store.
class StoreBlobs final : public oci::BlobSource {
 public:
  explicit StoreBlobs(const store::Store& store) : store_(store) {}

  Result<std::unique_ptr<ByteStream>> open_blob(const oci::Descriptor& blob) const override {
    return std::unique_ptr<ByteStream>(std::make_unique<FileStream>(TRY(open(blob))));
  }
  Result<std::optional<UniqueFd>> open_blob_file(const oci::Descriptor& blob) const override {
    return std::optional(TRY(open(blob)));
  }

 private:
  Result<UniqueFd> open(const oci::Descriptor& blob) const {
    auto fd = store_.open_blob(blob.digest);
    if (!fd && fd.error().kind() == ErrorKind::not_found)
      return Error(ErrorKind::not_found,
                   blob.digest.to_string() +
                       ": not in the store, because the image was pulled with --drop-layers; pull "
                       "it again without that option");
    return fd;
  }

  const store::Store& store_;
};

/// The manifest and everything it points to, named and signed as in the layout it was pulled from.
Result<void> fill_destination(const store::Store& store, const store::NamedImage& record,
                              const Chain& chain, const std::string& tag, bool moves_tag,
                              oci::ImageDestination& destination) {
  // Tags of registries are moved all the time; those of a layout may be all that names an image.
  for (const oci::Descriptor& present : destination.tagged()) {
    if (!moves_tag && present.digest != record.manifest)
      return Error(ErrorKind::exists, "the tag '" + tag + "': already names another image there (" +
                                          present.digest.to_string() + ")");
  }
  const StoreBlobs blobs_of_store(store);
  for (const oci::Descriptor& layer : chain.manifest.layers)
    if (!TRY(destination.take_blob(blobs_of_store, layer)))
      TRY(destination.copy_blob(blobs_of_store, layer));
  TRY(destination.put_document(
      TRY(store.read_blob(chain.manifest.config.digest, oci::kMaxDocument)),
      chain.manifest.config.media_type));
  // One that its publisher has not sealed may have Docker's types.
  const std::string& type = chain.manifest.media_type;
  const oci::Descriptor manifest =
      TRY(destination.put_document(TRY(store.read_blob(record.manifest, oci::kMaxDocument)),
                                   type.empty() ? std::string(oci::kManifestType) : type));
  // Signatures that were bad when the image was pulled have no payload here.
  const auto read_if_present = [&](const oci::Descriptor& blob, std::size_t limit,
                                   std::vector<ReadBlob>& blobs) -> Result<void> {
    if (!TRY(store.has_blob(blob.digest))) return {};
    blobs.push_back({blob, TRY(store.read_blob(blob.digest, limit))});
    return {};
  };
  std::vector<SignatureDocument> documents;
  for (const store::EvidenceRef& evidence : record.evidence) {
    if (evidence.kind == sign::kLocalSeal) continue;  // of no use to another machine
    SignatureDocument document{.kind = evidence.kind, .manifest = {}, .blobs = {}};
    document.manifest.bytes =
        TRY(store.read_blob(evidence.document, sign::kMaxSignatureManifestSize));
    if (const auto parsed = oci::parse_manifest(document.manifest.bytes, "")) {
      for (const oci::Descriptor& layer : parsed->layers)
        TRY(read_if_present(layer, oci::kMaxDocument, document.blobs));
      TRY(read_if_present(parsed->config, oci::kMaxDocument, document.blobs));
    }
    documents.push_back(std::move(document));
  }
  return put_documents(destination, manifest, documents);
}

}  // namespace

Result<ExportReport> export_oci(const std::shared_ptr<store::Store>& store, const std::string& name,
                                const OpenOptions& options, const oci::Reference& asked_destination,
                                const registry::Options& registry) {
  const auto image =
      TRY(OpenedImage::open(store, name, options));  // its lease keeps the blobs, too
  const Chain& chain = image->chain();
  oci::Reference reference = asked_destination;
  if (reference.tag.empty() && !reference.digest) reference.tag = "latest";
  const auto destination = TRY(registry::open_destination(reference, registry));
  const bool moves_tag = reference.transport == oci::Reference::Transport::docker;
  TRY(fill_destination(*store, image->record(), chain, reference.tag, moves_tag, *destination));
  TRY(destination->commit());

  ExportReport report;
  report.files = chain.manifest.layers.size();
  for (const oci::Descriptor& layer : chain.manifest.layers) report.bytes += layer.size;
  return report;
}

Result<ExportReport> export_tar(const std::shared_ptr<store::Store>& store, const std::string& name,
                                const OpenOptions& options, const std::string& file) {
  const ExportContext context = TRY(ExportContext::open(store, name, options));
  ExportReport report;
  TRY(count_files(context.tree(), report));
  OutputFile output =
      file == "-"
          ? TRY(OutputFile::standard_output())
          : TRY(OutputFile::create(file, OutputFile::Existing::refuse, content_file_mode()));
  TRY(oci::write_tree_tar(
      context.tree(),
      [&](const std::string&, const tree::Inode& inode) { return context.contents().open(inode); },
      [&](ByteSpan bytes) { return output.write(bytes); }));
  TRY(output.publish());
  return report;
}

namespace {

/// The image's own files, if `form` is the word for those of its format.
Result<ExportReport> export_own_files(const std::shared_ptr<store::Store>& store,
                                      const std::string& name, const OpenOptions& options,
                                      const std::string& form, const std::string& directory) {
  std::string known;
  bool is_known = false;
  for (const Profile* profile : profiles()) {
    known += std::string(profile->export_form()) + " ";
    is_known |= profile->export_form() == form;
  }
  if (!is_known)
    return Error(
        ErrorKind::invalid_argument,
        form + ": unknown form; write oci, oci-archive, tar, rootfs, " + known + "or bundle");
  const auto image = TRY(OpenedImage::open(store, name, options));
  const Profile& profile = *TRY(find_profile(image->image().format));
  if (profile.export_form() != form)
    return Error(ErrorKind::unsupported, "'" + name + "': an image of the format " +
                                             image->image().format + ", not of " + form);
  return profile.export_files(store, image->image().digest, options.damage, directory);
}

}  // namespace

Result<ExportReport> export_image(const std::shared_ptr<store::Store>& store,
                                  const std::string& name, const OpenOptions& options,
                                  const std::string& destination, const RootfsOptions& rootfs,
                                  const MakeBundleFiles& make_files,
                                  const registry::Options& registry) {
  const std::size_t colon = destination.find(':');
  const std::string form = destination.substr(0, colon);
  const std::string path = colon == std::string::npos ? "" : destination.substr(colon + 1);
  if (path.empty())
    return Error(ErrorKind::invalid_argument, "'" + destination + "': not FORM:PATH");
  if ((rootfs.devices || rootfs.setuid) && form != "rootfs" && form != "bundle")
    return Error(ErrorKind::invalid_argument,
                 "--devices and --setuid apply only to rootfs: and bundle:");
  if (const auto reference = TRY(oci::parse_reference(destination));
      reference && (form == "oci" || form == "oci-archive" || form == "docker"))
    return export_oci(store, name, options, *reference, registry);
  if (form == "tar") return export_tar(store, name, options, path);
  if (form == "rootfs") return export_rootfs(store, name, options, path, rootfs);
  if (form == "bundle") return export_bundle(store, name, options, path, make_files, rootfs);
  return export_own_files(store, name, options, form, path);
}

bool exports_to_standard_output(std::string_view destination) {
  return destination == "tar:-" || destination == "oci-archive:-" ||
         destination.starts_with("oci-archive:-:");
}

}  // namespace intact::image
