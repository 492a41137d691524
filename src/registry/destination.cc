// Registries as destinations of images.
#include "destination.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <set>

#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/worker_pool.h>
#include <intact/crypto/hash.h>
#include <intact/oci/manifest.h>
#include <intact/oci/media_types.h>

#include "push_manifest.h"
#include "source.h"
#include "upload.h"

namespace intact::registry {
namespace {

constexpr unsigned kUploads = 4;  // at once

bool is_manifest(std::string_view type) {
  const auto kind = oci::classify(type).kind;
  return kind == oci::MediaType::Kind::manifest || kind == oci::MediaType::Kind::index;
}

class RegistryDestination final : public oci::ImageDestination {
 public:
  RegistryDestination(oci::Reference reference, std::shared_ptr<Places> places,
                      std::shared_ptr<Session> session, std::vector<oci::Descriptor> tagged)
      : reference_(std::move(reference)),
        places_(std::move(places)),
        session_(std::move(session)),
        tagged_(std::move(tagged)),
        uploads_(kUploads, std::size_t{2} * kUploads) {}

  Result<bool> has_blob(const oci::Descriptor& blob) override {
    if (is_sent(blob.digest)) return true;
    if (!TRY(registry::has_blob(*session_, blob))) return false;
    sent_.insert(blob.digest);
    return true;
  }

  Result<bool> take_blob(const oci::BlobSource& source, const oci::Descriptor& blob) override {
    if (TRY(has_blob(blob))) return true;
    const auto* const other = dynamic_cast<const RegistrySource*>(&source);
    if (!other) return false;
    const auto from = other->places().registry();
    if (!from || !same_origin((*from)->base(), session_->base()) ||
        (*from)->name() == session_->name())
      return false;
    // A registry that refuses it is sent the bytes.
    const auto mounted = mount_blob(*session_, blob, (*from)->name());
    if (!mounted || !*mounted) return false;
    sent_.insert(blob.digest);
    return true;
  }

  Result<oci::Descriptor> put_document(ByteSpan bytes, std::string_view media_type) override {
    oci::Descriptor descriptor = oci::describe(media_type, bytes);
    if (is_manifest(media_type)) {
      manifests_.push_back({descriptor, Bytes(bytes.begin(), bytes.end())});
      return descriptor;
    }
    if (!TRY(has_blob(descriptor)))
      send(descriptor, std::make_shared<MemorySource>(Bytes(bytes.begin(), bytes.end())));
    return descriptor;
  }

  Result<oci::BlobCopy> copy_blob(const oci::BlobSource& source, const oci::Descriptor& blob,
                                  const oci::BlobProgress& progress) override {
    UniqueFd file = TRY(unnamed_temporary_file());
    const bool present = TRY(take_blob(source, blob));
    TRY(oci::read_from_places(source, blob, [&](ByteStream& stored) -> Result<void> {
      if (::ftruncate(file.get(), 0) != 0 || ::lseek(file.get(), 0, SEEK_SET) != 0)
        return Error::from_errno("copy of a blob", errno);
      return oci::read_hashed(stored, blob, [&](ByteSpan bytes) -> Result<void> {
        TRY(write_all(file.get(), bytes).context("copy of a blob"));
        return progress ? progress(bytes.size()) : Result<void>();
      });
    }));
    if (!present) {
      std::shared_ptr<const ByteSource> bytes =
          TRY(FileSource::open(TRY(duplicate_fd(file.get()))));
      send(blob, std::move(bytes));
    }
    return oci::BlobCopy::of_own_file(std::move(file), blob.size);
  }

  Result<std::unique_ptr<oci::BlobWriter>> new_blob() override;
  Result<UniqueFd> temporary_file() const override { return unnamed_temporary_file(); }
  Result<std::unique_ptr<oci::ImageSource>> reader(const std::set<Digest>&) const override {
    return std::unique_ptr<oci::ImageSource>(
        std::make_unique<RegistrySource>(to_string(reference_), places_, std::optional<Digest>()));
  }
  std::vector<oci::Descriptor> tagged() const override { return tagged_; }

  Result<void> put_image(const oci::Descriptor& manifest,
                         const std::optional<oci::Descriptor>& signatures) override {
    if (signatures) tags_.emplace_back(oci::signature_tag(manifest.digest), signatures->digest);
    image_ = manifest.digest;
    return {};
  }
  Result<void> put_signatures(const oci::Descriptor& subject,
                              const oci::Descriptor& manifest) override {
    tags_.emplace_back(oci::signature_tag(subject.digest), manifest.digest);
    return {};
  }
  // Entered when its manifest is sent.
  Result<void> put_referrer(const oci::Descriptor&, const oci::Descriptor&) override { return {}; }
  Result<void> put_attestations(const oci::Descriptor& subject,
                                const oci::Descriptor& manifest) override {
    tags_.emplace_back(oci::attestation_tag(subject.digest), manifest.digest);
    return {};
  }

  Result<void> commit() override {
    TRY(uploads_.wait());
    for (const Manifest& manifest : manifests_)
      TRY(push_manifest(*session_, manifest.descriptor.digest.to_string(), manifest.descriptor,
                        manifest.bytes));
    // The image is called by its name when everything that belongs to it is there.
    if (image_) tags_.emplace_back(reference_.tag, *image_);
    for (const auto& [tag, digest] : tags_) {
      const auto found =
          std::find_if(manifests_.begin(), manifests_.end(),
                       [&, d = digest](const Manifest& one) { return one.descriptor.digest == d; });
      if (found != manifests_.end()) {
        TRY(push_manifest(*session_, tag, found->descriptor, found->bytes));
      } else {
        // It was there before, under another name.
        const FoundDocument present = TRY(get_manifest(*session_, digest.to_string()));
        TRY(push_manifest(*session_, tag, present.descriptor, present.bytes));
      }
    }
    return {};
  }

  /// Sends a blob while the caller goes on; an error is returned by commit().
  void send(const oci::Descriptor& blob, std::shared_ptr<const ByteSource> bytes) {
    sent_.insert(blob.digest);
    uploads_.submit([session = session_, blob, bytes = std::move(bytes)] {
      return upload_blob(*session, blob, bytes);
    });
  }
  bool is_sent(const Digest& digest) const { return sent_.contains(digest); }

 private:
  struct Manifest {
    oci::Descriptor descriptor;
    Bytes bytes;
  };

  oci::Reference reference_;
  std::shared_ptr<Places> places_;
  std::shared_ptr<Session> session_;
  std::vector<oci::Descriptor> tagged_;
  std::vector<Manifest> manifests_;
  std::vector<std::pair<std::string, Digest>> tags_;
  std::optional<Digest> image_;
  std::set<Digest> sent_;
  WorkerPool uploads_;  ///< the last: its jobs end before the rest
};

/// A blob whose digest is not known before its end: in a file until then.
class NewBlob final : public oci::BlobWriter {
 public:
  NewBlob(RegistryDestination& destination, UniqueFd file)
      : destination_(destination), file_(std::move(file)) {}

  Result<void> write(ByteSpan bytes) override {
    hasher_.update(bytes);
    size_ += bytes.size();
    return write_all(file_.get(), bytes).context("temporary file");
  }
  Result<std::unique_ptr<ByteStream>> read_back() const override {
    return std::unique_ptr<ByteStream>(
        std::make_unique<FileStream>(TRY(duplicate_fd(file_.get())), 0, size_));
  }
  Result<oci::Descriptor> finish(std::string_view media_type) override {
    oci::Descriptor blob{
        .media_type = std::string(media_type), .digest = hasher_.finish(), .size = size_};
    if (TRY(destination_.has_blob(blob))) return blob;
    std::shared_ptr<const ByteSource> bytes = TRY(FileSource::open(TRY(duplicate_fd(file_.get()))));
    destination_.send(blob, std::move(bytes));
    return blob;
  }

 private:
  RegistryDestination& destination_;
  UniqueFd file_;
  crypto::Hasher hasher_;
  std::uint64_t size_ = 0;
};

Result<std::unique_ptr<oci::BlobWriter>> RegistryDestination::new_blob() {
  return std::unique_ptr<oci::BlobWriter>(
      std::make_unique<NewBlob>(*this, TRY(unnamed_temporary_file())));
}

}  // namespace

Result<std::unique_ptr<oci::ImageDestination>> open_registry_destination(
    const oci::Reference& reference, const Options& options) {
  auto places = TRY(Places::open(reference.path, options));
  auto session = TRY(places->registry());
  std::vector<oci::Descriptor> tagged;
  // Asked for with the right to write, so that a wrong credential is noticed before the work.
  auto present = get_manifest(*session, reference.tag, true);
  if (present) {
    tagged.push_back(std::move(present->descriptor));
  } else if (present.error().kind() != ErrorKind::not_found) {
    return std::move(present).error();
  }
  return std::unique_ptr<oci::ImageDestination>(std::make_unique<RegistryDestination>(
      reference, std::move(places), std::move(session), std::move(tagged)));
}

}  // namespace intact::registry
