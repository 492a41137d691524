// Destinations that are image layouts: a directory, or one that is packed at the end.
#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/base/output_file.h>
#include <intact/oci/image_destination.h>
#include <intact/oci/media_types.h>

#include "layout_writer.h"

namespace intact::oci {
namespace {

using Transport = Reference::Transport;

class LayoutDestination final : public ImageDestination {
 public:
  static Result<std::unique_ptr<ImageDestination>> open(const Reference& reference) {
    std::unique_ptr<LayoutDestination> made(new LayoutDestination(reference));
    made->directory_ = reference.path;
    if (made->is_archive()) {
      const bool to_stdout = reference.path == "-";
      if (!to_stdout) TRY(refuse_existing(reference.path));
      made->scratch_.emplace(TRY(NewDirectory::create_scratch(
          to_stdout ? TempDir::default_parent() : parent_directory(reference.path))));
      made->directory_ = made->scratch_->path() + "/layout";
    }
    made->writer_ = TRY(LayoutWriter::open_or_create(made->directory_));
    return std::unique_ptr<ImageDestination>(std::move(made));
  }

  Result<bool> has_blob(const Descriptor& blob) override { return writer_->has_blob(blob); }
  Result<Descriptor> put_document(ByteSpan bytes, std::string_view media_type) override {
    return writer_->put_blob(bytes, media_type);
  }
  Result<BlobCopy> copy_blob(const BlobSource& source, const Descriptor& blob,
                             const BlobProgress& progress) override {
    return writer_->copy_blob(source, blob, progress);
  }
  Result<std::unique_ptr<BlobWriter>> new_blob() override {
    return std::unique_ptr<BlobWriter>(std::make_unique<LayoutBlob>(TRY(writer_->new_blob())));
  }
  Result<UniqueFd> temporary_file() const override { return writer_->temporary_file(); }
  Result<std::unique_ptr<ImageSource>> reader(const std::set<Digest>& known) const override {
    return writer_->reader(known);
  }
  std::vector<Descriptor> tagged() const override { return writer_->find_tag(reference_.tag); }

  Result<void> put_image(const Descriptor& manifest,
                         const std::optional<Descriptor>& signatures) override {
    // cosign looks at the first descriptor of each kind in a layout: the marks move to the newest
    // pair.
    writer_->remove_annotation(kCosignKind);
    Descriptor image = manifest;
    image.annotations[std::string(kCosignKind)] = kCosignKindImage;
    TRY(writer_->set_tag(reference_.tag, image));
    if (!signatures) return {};
    Descriptor marked = *signatures;
    marked.annotations[std::string(kCosignKind)] = kCosignKindSignatures;
    // In a directory they get cosign's tag, so that skopeo can copy them. In an archive they get no
    // name, as `cosign save` does it: containerd unpacks whatever has a name in an archive, and
    // signatures it cannot.
    if (!is_archive()) return writer_->set_tag(signature_tag(manifest.digest), marked);
    writer_->add_unnamed(marked);
    return {};
  }

  Result<void> put_signatures(const Descriptor& subject, const Descriptor& manifest) override {
    if (!is_archive()) return writer_->set_tag(signature_tag(subject.digest), manifest);
    writer_->add_unnamed(manifest);
    return {};
  }

  Result<void> put_referrer(const Descriptor&, const Descriptor& referrer) override {
    writer_->add_unnamed(referrer);
    return {};
  }

  Result<void> put_attestations(const Descriptor& subject, const Descriptor& manifest) override {
    if (is_archive()) {
      writer_->add_unnamed(manifest);
      return {};
    }
    return writer_->set_tag(attestation_tag(subject.digest), manifest);
  }

  Result<void> commit() override {
    TRY(writer_->commit());
    return is_archive() ? write_layout_archive(directory_, reference_.path) : Result<void>();
  }

 private:
  explicit LayoutDestination(Reference reference) : reference_(std::move(reference)) {}
  bool is_archive() const { return reference_.transport == Transport::oci_archive; }

  Reference reference_;
  std::optional<NewDirectory> scratch_;  ///< only of an archive
  std::string directory_;
  std::unique_ptr<LayoutWriter> writer_;
};

}  // namespace

Result<void> ImageDestination::put_referrer(const Descriptor&, const Descriptor& referrer) {
  return Error(ErrorKind::unsupported, referrer.digest.to_string() +
                                           ": this kind of destination cannot hold manifests that "
                                           "refer to an image");
}

Result<void> ImageDestination::put_attestations(const Descriptor&, const Descriptor& manifest) {
  return Error(ErrorKind::unsupported,
               manifest.digest.to_string() +
                   ": this kind of destination cannot hold attestations under a tag");
}

Result<std::unique_ptr<ImageDestination>> ImageDestination::open(const Reference& reference) {
  if (reference.digest)
    return Error(ErrorKind::invalid_argument,
                 to_string(reference) + ": a destination has a tag, not a digest");
  if (reference.transport != Transport::oci && reference.transport != Transport::oci_archive)
    return Error(ErrorKind::unsupported,
                 to_string(reference) +
                     ": cannot write images to this kind of destination; use oci:DIR[:TAG] or "
                     "oci-archive:FILE[:TAG]");
  if (reference.tag.empty())
    return Error(ErrorKind::invalid_argument, to_string(reference) + ": a destination has a tag");
  return LayoutDestination::open(reference);
}

}  // namespace intact::oci
