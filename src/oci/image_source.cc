#include <sys/stat.h>

#include <intact/crypto/hash.h>
#include <intact/oci/image_source.h>

#include "resolve.h"
#include "source_kinds.h"

namespace intact::oci {
namespace {

constexpr std::size_t kMaxKept = 16 * 1024 * 1024;  // bytes of documents

/// A source of which one manifest or index was asked for by its digest.
class PinnedSource final : public ImageSource {
 public:
  PinnedSource(std::unique_ptr<ImageSource> source, const Digest& digest)
      : source_(std::move(source)), tag_("@" + digest.to_string()) {}

  Result<Descriptor> find(const std::string&) const override { return source_->find(tag_); }
  Result<Located> locate(const std::string&, const Platform& platform) const override {
    return source_->locate(tag_, platform);
  }
  Result<Bytes> read_document(const Descriptor& descriptor) const override {
    return source_->read_document(descriptor);
  }
  Result<std::unique_ptr<ByteStream>> open_blob(const Descriptor& descriptor) const override {
    return source_->open_blob(descriptor);
  }
  Result<std::optional<UniqueFd>> open_blob_file(const Descriptor& descriptor) const override {
    return source_->open_blob_file(descriptor);
  }
  Result<std::optional<Descriptor>> find_signatures(const Digest& manifest) const override {
    return source_->find_signatures(manifest);
  }
  Result<std::optional<Descriptor>> find_attestations(const Digest& manifest) const override {
    return source_->find_attestations(manifest);
  }
  Result<std::vector<Descriptor>> referrers(const Digest& manifest) const override {
    return source_->referrers(manifest);
  }
  std::vector<std::string> names() const override { return source_->names(); }

 private:
  std::unique_ptr<ImageSource> source_;
  std::string tag_;
};

}  // namespace

Result<std::unique_ptr<ImageSource>> ImageSource::open(const Reference& reference,
                                                       const DecompressLimits& limits) {
  using Transport = Reference::Transport;
  if (reference.digest && reference.transport != Transport::docker) {
    Reference place = reference;
    place.digest.reset();
    return std::unique_ptr<ImageSource>(
        std::make_unique<PinnedSource>(TRY(open(place, limits)), *reference.digest));
  }
  switch (reference.transport) {
    case Transport::oci:
      return open_layout_directory(reference.path);
    case Transport::oci_archive:
      return open_layout_archive(reference.path, limits);
    case Transport::docker_archive:
      return open_docker_archive(reference.path, limits);
    case Transport::docker:
      return Error(
          ErrorKind::unsupported,
          to_string(reference) +
              ": an image in a registry cannot be used here; copy it first with `intact copy " +
              to_string(reference) + " oci:DIR:TAG`");
    case Transport::rootfs:
    case Transport::tar:
      break;
  }
  return Error(ErrorKind::invalid_argument,
               to_string(reference) + ": a root directory, not an image; seal it first");
}

Result<std::unique_ptr<ByteStream>> BlobSource::continue_blob(const Descriptor& descriptor,
                                                              std::uint64_t /*offset*/) const {
  return Error(ErrorKind::unsupported,
               descriptor.digest.to_string() + ": cannot be read from its middle");
}

namespace {

/// Remembers whether the source failed, and not who uses its bytes.
class WatchedStream final : public ByteStream {
 public:
  explicit WatchedStream(ByteStream& inner) : inner_(inner) {}
  Result<std::size_t> read(MutableByteSpan out) override {
    auto n = inner_.read(out);
    failed_ = failed_ || !n;
    return n;
  }
  bool failed() const { return failed_; }

 private:
  ByteStream& inner_;
  bool failed_ = false;
};

}  // namespace

Result<void> read_from_places(const BlobSource& source, const Descriptor& descriptor,
                              const std::function<Result<void>(ByteStream&)>& work) {
  for (;;) {
    const auto stream = TRY(source.open_blob(descriptor));
    WatchedStream watched(*stream);
    auto done = work(watched);
    if (done || !(watched.failed() || done.error().kind() == ErrorKind::tampered)) return done;
    const BlobSource::Blame blame = source.blame(descriptor);
    if (blame.has_others) continue;
    const bool is_named = done.error().message().find(blame.place) != std::string::npos;
    if (is_named) return done;  // also where there is no name
    return std::move(done).error().with_context(blame.place);
  }
}

Result<Bytes> ImageSource::read_document(const Descriptor& descriptor) const {
  const std::string name = descriptor.digest.to_string();
  if (descriptor.size > kMaxDocument)
    return Error(ErrorKind::limit, name + ": a document of " + std::to_string(descriptor.size) +
                                       " bytes, over the limit of " + std::to_string(kMaxDocument));
  if (auto known = kept(descriptor.digest); known && known->size() == descriptor.size)
    return *std::move(known);
  Bytes bytes;
  TRY(read_from_places(*this, descriptor, [&](ByteStream& stream) -> Result<void> {
    // One byte more than there should be, so that a longer blob is noticed.
    bytes.resize(static_cast<std::size_t>(descriptor.size) + 1);
    bytes.resize(TRY(read_fully(stream, bytes).context(name)));
    if (bytes.size() != descriptor.size)
      return Error(ErrorKind::tampered, name + ": the blob is not of the " +
                                            std::to_string(descriptor.size) +
                                            " bytes it should have");
    if (crypto::hash(descriptor.digest.algorithm(), bytes) != descriptor.digest)
      return Error(ErrorKind::tampered, name + ": the blob does not have this digest");
    return {};
  }));
  keep(descriptor, bytes);
  return bytes;
}

void ImageSource::keep(const Descriptor& descriptor, const Bytes& bytes) const {
  const std::lock_guard lock(kept_mutex_);
  if (bytes.size() <= kMaxKept - kept_bytes_ && kept_.emplace(descriptor.digest, bytes).second)
    kept_bytes_ += bytes.size();
}

std::optional<Bytes> ImageSource::kept(const Digest& digest) const {
  const std::lock_guard lock(kept_mutex_);
  const auto found = kept_.find(digest);
  if (found == kept_.end()) return std::nullopt;
  return found->second;
}

Result<Descriptor> ImageSource::resolve(const std::string& tag, const Platform& platform) const {
  return TRY(locate(tag, platform)).manifest;
}

Result<Located> choose_image(const ImageSource& source, const Descriptor& top,
                             const Platform& platform) {
  Index index;
  index.manifests.push_back(top);
  return Resolver(source, index, platform).locate("");
}

Result<std::optional<UniqueFd>> BlobSource::open_blob_file(const Descriptor&) const {
  return std::optional<UniqueFd>();
}

Result<ImageDocuments> read_image(const ImageSource& source, const Descriptor& manifest) {
  Bytes manifest_bytes = TRY(source.read_document(manifest).context("manifest"));
  Manifest parsed = TRY(parse_manifest(manifest_bytes, manifest.media_type));
  TRY(check_is_image(parsed).context(manifest.digest.to_string()));
  Bytes config_bytes = TRY(source.read_document(parsed.config).context("image config"));
  ImageConfig config = TRY(parse_config(config_bytes));
  TRY(check_layer_count(parsed, config));
  return ImageDocuments{manifest, std::move(manifest_bytes), std::move(parsed),
                        std::move(config_bytes), std::move(config)};
}

std::string signature_tag(const Digest& manifest) {
  return std::string(to_string(manifest.algorithm())) + "-" + manifest.hex() + ".sig";
}

std::string attestation_tag(const Digest& manifest) {
  return std::string(to_string(manifest.algorithm())) + "-" + manifest.hex() + ".att";
}

}  // namespace intact::oci
