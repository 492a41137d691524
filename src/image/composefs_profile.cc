#include "composefs_profile.h"

#include <array>

#include <intact/base/file.h>
#include <intact/composefs/image_tree.h>
#include <intact/composefs/read.h>
#include <intact/composefs/write.h>
#include <intact/fsverity/verified_file.h>
#include <intact/image/labels.h>

#include "composefs_opener.h"
#include "composefs_sink.h"

namespace intact::image {
namespace {

constexpr std::string_view kFormat = "composefs-1";
/// composefs-rs' label for the digest of *its* image of the same tree, which has another layout.
constexpr std::string_view kComposefsLabel = "containers.composefs.fsverity";

/// composefs-rs writes the digest with its algorithm or bare.
Result<Digest> parse_composefs_label(std::string_view text) {
  return text.find(':') == std::string_view::npos ? Digest::parse_hex(text) : Digest::parse(text);
}

/// A file's verified content from front to back.
class ContentStream final : public ByteStream {
 public:
  explicit ContentStream(std::shared_ptr<tree::OpenFile> file) : file_(std::move(file)) {}
  Result<std::size_t> read(MutableByteSpan out) override {
    const std::size_t n = TRY(file_->read(offset_, out));
    offset_ += n;
    return n;
  }

 private:
  std::shared_ptr<tree::OpenFile> file_;
  std::uint64_t offset_ = 0;
};

class ComposefsContents final : public ImageContents {
 public:
  ComposefsContents(tree::Tree tree, std::shared_ptr<const composefs::ObjectOpener> opener)
      : tree_(std::move(tree)), opener_(std::move(opener)) {}

  const tree::Tree& tree() const override { return tree_; }
  Result<std::unique_ptr<ByteStream>> open(const tree::Inode& inode) const override {
    if (inode.payload.empty() || !inode.content.empty())
      return std::unique_ptr<ByteStream>(std::make_unique<MemoryStream>(to_bytes(inode.content)));
    return std::unique_ptr<ByteStream>(std::make_unique<ContentStream>(
        TRY(opener_->open(inode.payload, inode.digest, inode.attributes.size, tree::NodeId{0}))));
  }

 private:
  tree::Tree tree_;
  std::shared_ptr<const composefs::ObjectOpener> opener_;
};

class ComposefsProfile final : public Profile {
 public:
  std::string_view format() const override { return kFormat; }
  std::string_view name() const override { return "shared"; }

  Result<void> check_labels(const oci::ImageConfig& config, const Digest& image) const override {
    if (image.algorithm() != HashAlgorithm::sha256)
      return Error(ErrorKind::unsupported,
                   std::string(kDigestLabel) + ": " + std::string(kFormat) + " uses sha256");
    const std::string* const text = config.label(std::string(kComposefsLabel));
    if (!text || TRY(parse_composefs_label(*text).context(kComposefsLabel)) == image) return {};
    return Error(ErrorKind::malformed, "the label " + std::string(kComposefsLabel) +
                                           " names the image " + *text + ", not " +
                                           image.to_string() +
                                           ": labels that contradict each other are refused");
  }

  std::unique_ptr<oci::ContentSink> content_sink(store::Transaction* transaction,
                                                 Sha512Digests* sha512) const override {
    return std::make_unique<ObjectSink>(transaction, sha512);
  }

  Result<MadeImage> seal(const tree::Tree& tree) const override {
    MadeImage image;
    image.bytes = TRY(composefs::write_image(tree, {.min_version = 1, .max_version = 1}));
    fsverity::TreeBuilder builder({}, true);
    builder.update(image.bytes);
    image.merkle = builder.finish();
    return image;
  }

  Result<std::shared_ptr<const tree::FileTree>> open(
      const std::shared_ptr<const store::Store>& store, const Digest& image, VerityMode mode,
      const DamageSink& damage) const override {
    auto bytes = TRY(open_composefs_image(*store, image, damage));
    auto opener = std::make_shared<StoreObjectOpener>(store, image, mode, damage);
    const std::shared_ptr<const composefs::ImageTree> tree =
        TRY(composefs::ImageTree::open(std::move(bytes), opener));
    opener->set_tree(tree);
    return std::shared_ptr<const tree::FileTree>(tree);
  }

  Result<std::unique_ptr<ImageContents>> read(const std::shared_ptr<const store::Store>& store,
                                              const Digest& image,
                                              const DamageSink& damage) const override {
    tree::Tree tree = TRY(composefs::read_tree(TRY(open_composefs_image(*store, image, damage))));
    return std::unique_ptr<ImageContents>(std::make_unique<ComposefsContents>(
        std::move(tree),
        std::make_shared<StoreObjectOpener>(store, image, VerityMode::require, damage)));
  }

  Result<std::vector<store::ImageObject>> references(const store::Store& store,
                                                     const Digest& image) const override {
    auto listed = TRY(composefs::list_objects(TRY(open_composefs_image(store, image)))
                          .context("image " + image.hex()));
    std::vector<store::ImageObject> objects;
    objects.reserve(listed.size());
    for (composefs::ObjectReference& object : listed)
      objects.push_back(
          {std::move(object.payload), object.size, object.digest, std::move(object.path)});
    return objects;
  }

  Result<void> verify(const store::Store& store, const Digest& image, const VerifyOptions& options,
                      VerifyReport& report) const override {
    return verify_composefs(store, image, options, report);
  }

  std::string_view export_form() const override { return "composefs"; }
  Result<ExportReport> export_files(const std::shared_ptr<const store::Store>& store,
                                    const Digest& image, const DamageSink& damage,
                                    const std::string& directory) const override {
    return export_composefs_files(store, image, damage, directory);
  }
};

}  // namespace

const Profile& composefs_profile() {
  static const ComposefsProfile profile;
  return profile;
}

Result<std::shared_ptr<const ByteSource>> open_composefs_image(const store::Store& store,
                                                               const Digest& image,
                                                               const DamageSink& damage) {
  auto opened = store.open_image(image);
  if (!opened && opened.error().kind() == ErrorKind::not_found)
    return Error(ErrorKind::tampered,
                 "images/" + image.hex() + " is missing from the store: pull the image again");
  UniqueFd fd = TRY(std::move(opened));
  const std::uint64_t size = TRY(file_size(fd.get()));
  auto report = [damage, image](Damage met) {
    met.object = "images/" + image.hex();
    if (damage) damage(met);
  };
  auto file = TRY(fsverity::VerifiedFile::open(std::move(fd), size, image,
                                               TRY(store.tree_of(image, image)), report));
  std::shared_ptr<const ByteSource> bytes = TRY(fsverity::VerifiedMemory::open(std::move(file)));
  // An image cut to a few bytes would be called malformed for its size, before any block of it is
  // looked at: it is not the image that was signed, whatever else it is.
  std::array<std::byte, 1> first;
  if (size != 0) TRY(bytes->read(0, first));
  return bytes;
}

}  // namespace intact::image
