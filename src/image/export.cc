#include <cerrno>
#include <set>

#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/output_file.h>
#include <intact/composefs/scan.h>
#include <intact/image/export.h>
#include <intact/oci/hashing_stream.h>
#include <intact/oci/layout_writer.h>
#include <intact/oci/media_types.h>
#include <intact/oci/tree_tar.h>

#include "export_context.h"
#include "new_directory.h"
#include "paths.h"
#include "signatures.h"

namespace intact::image {
namespace {

constexpr std::size_t kBuffer = 256 * 1024;

Result<void> count_files(const tree::Tree& tree, ExportReport& report) {
  return tree.walk([&](const std::string&, const tree::Entry& entry) -> Result<void> {
    ++report.files;
    if (!entry.hard_link && entry.inode->attributes.is_regular())
      report.bytes += entry.inode->attributes.size;
    return {};
  });
}

/// Copies a blob of the store and checks its digest.
Result<void> copy_blob(const store::Store& store, const oci::Descriptor& blob,
                       oci::LayoutWriter& layout) {
  auto fd = store.open_blob(blob.digest);
  if (!fd && fd.error().kind() == ErrorKind::not_found)
    return Error(ErrorKind::not_found,
                 blob.digest.to_string() +
                     ": not in the store, because the image was pulled with --drop-layers; pull it "
                     "again without that option");
  if (!fd) return std::move(fd).error();
  oci::CheckedStream checked(std::make_unique<FileStream>(std::move(*fd)), blob.digest, blob.size);
  oci::LayoutBlob out = TRY(layout.new_blob());
  Bytes buffer(kBuffer);
  while (const std::size_t n = TRY(checked.read(buffer))) TRY(out.write(ByteSpan(buffer).first(n)));
  TRY(out.finish(blob.media_type));
  return {};
}

/// The manifest and everything it points to, named and signed as in the layout it was pulled from.
Result<void> fill_layout(const store::Store& store, const store::NamedImage& record,
                         const Chain& chain, const oci::Reference& destination,
                         oci::LayoutWriter& layout) {
  for (const oci::Descriptor& present : layout.find_tag(destination.tag)) {
    if (present.digest != record.manifest)
      return Error(ErrorKind::exists, "the tag '" + destination.tag +
                                          "': already names another image there (" +
                                          present.digest.to_string() + ")");
  }
  for (const oci::Descriptor& layer : chain.manifest.layers) TRY(copy_blob(store, layer, layout));
  TRY(layout.put_blob(TRY(store.read_blob(chain.manifest.config.digest, oci::kMaxDocument)),
                      oci::kConfigType));
  const oci::Descriptor manifest = TRY(layout.put_blob(
      TRY(store.read_blob(record.manifest, oci::kMaxDocument)), oci::kManifestType));
  if (!record.signature_manifest)
    return name_sealed_image(layout, destination, manifest, std::nullopt);

  const Bytes signatures =
      TRY(store.read_blob(*record.signature_manifest, sign::kMaxSignatureManifestSize));
  // Signatures that were bad when the image was pulled have no payload here.
  const auto put_if_present = [&](const Digest& digest, std::uint64_t limit,
                                  std::string_view type) -> Result<void> {
    if (!TRY(store.has_blob(digest))) return {};
    TRY(layout.put_blob(TRY(store.read_blob(digest, limit)), type));
    return {};
  };
  for (const sign::SignatureLayer& layer : TRY(sign::parse_signature_manifest(signatures)))
    TRY(put_if_present(layer.payload, sign::kMaxPayloadSize, sign::kSignatureMediaType));
  if (const auto parsed = oci::parse_manifest(signatures, ""))
    TRY(put_if_present(parsed->config.digest, oci::kMaxDocument, oci::kConfigType));
  return name_sealed_image(layout, destination, manifest,
                           TRY(layout.put_blob(signatures, oci::kManifestType)));
}

/// Whether a file's content is in an object of its own.
bool has_object(const tree::Inode& inode) {
  return inode.attributes.is_regular() && !inode.payload.empty() && inode.content.empty();
}

/// Objects are named by their digest here; a path that an image's author chose is never written to.
Result<void> check_object_names(const tree::Tree& tree) {
  return tree.walk([](const std::string& path, const tree::Entry& entry) -> Result<void> {
    const tree::Inode& inode = *entry.inode;
    if (!has_object(inode)) return {};
    if (!inode.digest || inode.payload != composefs::object_path(*inode.digest))
      return Error(ErrorKind::malformed,
                   path +
                       ": its object is not named by its digest; export the image as rootfs: or "
                       "tar: instead");
    return {};
  });
}

/// A directory in `parent`, made unless it is there.
Result<UniqueFd> make_directory(int parent, const std::string& name) {
  if (::mkdirat(parent, name.c_str(), 0755) != 0 && errno != EEXIST)
    return Error::from_errno(name, errno);
  return open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

}  // namespace

Result<ExportReport> export_oci(const std::shared_ptr<store::Store>& store, const std::string& name,
                                const OpenOptions& options,
                                const oci::Reference& asked_destination) {
  const auto image =
      TRY(OpenedImage::open(store, name, options));  // its lease keeps the blobs, too
  const Chain& chain = image->chain();
  oci::Reference destination = asked_destination;
  if (destination.digest)
    return Error(ErrorKind::invalid_argument,
                 oci::to_string(destination) + ": a destination has a tag, not a digest");
  if (destination.tag.empty()) destination.tag = "latest";

  const bool archive = destination.transport == oci::Reference::Transport::oci_archive;
  const bool to_stdout = archive && destination.path == "-";
  if (archive && !to_stdout) TRY(refuse_existing(destination.path));
  std::optional<NewDirectory> scratch;
  if (archive)
    scratch.emplace(TRY(NewDirectory::create_scratch(
        to_stdout ? TempDir::default_parent() : parent_directory(destination.path))));
  const std::string directory = archive ? scratch->path() + "/layout" : destination.path;
  {
    auto layout = TRY(oci::LayoutWriter::open_or_create(directory));
    TRY(fill_layout(*store, image->record(), chain, destination, *layout));
    TRY(layout->commit());
  }
  if (archive) TRY(oci::write_layout_archive(directory, destination.path));

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
      [&](const std::string&, const tree::Inode& inode) { return context.open_content(inode); },
      [&](ByteSpan bytes) { return output.write(bytes); }));
  TRY(output.publish());
  return report;
}

Result<ExportReport> export_composefs(const std::shared_ptr<store::Store>& store,
                                      const std::string& name, const OpenOptions& options,
                                      const std::string& directory) {
  const ExportContext context = TRY(ExportContext::open(store, name, options));
  TRY(check_object_names(context.tree()));
  NewDirectory out = TRY(NewDirectory::create(directory, content_directory_mode()));
  ExportReport report;
  TRY(count_files(context.tree(), report));
  const UniqueFd objects = TRY(make_directory(out.fd(), "objects"));
  std::set<std::string> written;
  TRY(context.tree().walk([&](const std::string& path, const tree::Entry& entry) -> Result<void> {
    const tree::Inode& inode = *entry.inode;
    if (!has_object(inode) || !written.insert(inode.payload).second) return {};
    // "ab/cdef...", as check_object_names() says.
    const UniqueFd prefix = TRY(make_directory(objects.get(), inode.payload.substr(0, 2)));
    const UniqueFd fd = TRY(open_at(prefix.get(), inode.payload.substr(3),
                                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
    return context.read_content(inode, [&](ByteSpan bytes) { return write_all(fd.get(), bytes); })
        .context(path);
  }));
  Bytes image(static_cast<std::size_t>(context.bytes().size()));
  TRY(context.bytes().read(0, image));
  TRY(write_file_durably_at(out.fd(), "image.cfs", image, 0644));
  TRY(out.publish());
  return report;
}

}  // namespace intact::image
