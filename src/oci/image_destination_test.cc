#include <map>
#include <mutex>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <intact/oci/image_destination.h>
#include <intact/oci/media_types.h>

#include "test_layout.h"

namespace intact::oci {
namespace {

using namespace test;

const Platform kAmd64{"linux", "amd64", ""};

/// A source in memory that counts how often each blob is opened, and changes a blob after its first
/// opening: a second one gets other bytes.
class CountingSource final : public ImageSource {
 public:
  Descriptor add(std::string_view type, const std::string& text) {
    const Descriptor descriptor = describe(type, as_bytes(text));
    blobs_[descriptor.digest] = text;
    return descriptor;
  }
  unsigned opens(const Descriptor& blob) const { return opens_[blob.digest]; }

  Result<std::unique_ptr<ByteStream>> open_blob(const Descriptor& blob) const override {
    const auto found = blobs_.find(blob.digest);
    if (found == blobs_.end()) return Error(ErrorKind::not_found, "no such blob");
    Bytes bytes = to_bytes(found->second);
    if (opens_[blob.digest]++ > 0) bytes[0] ^= std::byte{1};
    return std::unique_ptr<ByteStream>(std::make_unique<MemoryStream>(std::move(bytes)));
  }
  Result<Descriptor> find(const std::string&) const override {
    return Error(ErrorKind::not_found, "");
  }
  Result<Located> locate(const std::string&, const Platform&) const override {
    return Error(ErrorKind::not_found, "");
  }
  Result<std::optional<Descriptor>> find_signatures(const Digest&) const override {
    return std::optional<Descriptor>();
  }
  std::vector<std::string> names() const override { return {}; }

 private:
  std::map<Digest, std::string> blobs_;
  mutable std::map<Digest, unsigned> opens_;
};

struct Image {
  Descriptor layer, config, manifest, signatures;
};
Image add_image(CountingSource& source) {
  Image image;
  image.layer = source.add(kLayerType, std::string(3 << 20, 'x'));
  image.config =
      source.add(kConfigType, std::string(as_text(make_config(kAmd64, {image.layer.digest}))));
  Manifest manifest{std::string(kManifestType), image.config, {image.layer}, {}, {}, {}, {}};
  image.manifest = source.add(kManifestType, std::string(as_text(encode_manifest(manifest))));
  image.signatures = source.add(kManifestType, "signatures");
  return image;
}

Result<void> copy(const CountingSource& source, const Image& image, ImageDestination& destination) {
  const auto documents = TRY(read_image(source, image.manifest));
  // A reader of the layer gets what was hashed on its way.
  const auto layer = TRY(destination.copy_blob(source, image.layer)).open();
  Bytes bytes(image.layer.size);
  if (TRY(read_fully(*layer, bytes)) != bytes.size() || bytes[0] != std::byte{'x'})
    return Error(ErrorKind::tampered, "other bytes");
  TRY(destination.put_document(documents.config_bytes, kConfigType));
  TRY(destination.put_document(documents.manifest_bytes, kManifestType));
  TRY(destination.put_document(TRY(source.read_document(image.signatures)), kManifestType));
  TRY(destination.put_image(image.manifest, image.signatures));
  return destination.commit();
}

class Destination : public testing::TestWithParam<const char*> {
 protected:
  TempDir dir_ = TempDir::create().value();
  Reference reference_ =
      **parse_reference(std::string(GetParam()) + ":" + dir_.path("place") + ":v1");
  CountingSource source_;
  Image image_ = add_image(source_);
};

TEST_P(Destination, FetchesEachBlobOnceAndIsReadByItsTwin) {
  auto opened = ImageDestination::open(reference_);
  ASSERT_TRUE(opened) << opened.error().message();
  ImageDestination& destination = **opened;
  EXPECT_FALSE(destination.has_blob(image_.layer).value());
  const auto copied = copy(source_, image_, destination);
  ASSERT_TRUE(copied) << copied.error().message();
  for (const Descriptor& blob : {image_.layer, image_.config, image_.manifest, image_.signatures})
    EXPECT_EQ(source_.opens(blob), 1u) << blob.media_type;

  const auto source = ImageSource::open(reference_).value();
  const auto found = source->resolve("v1", kAmd64);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->digest, image_.manifest.digest);
  EXPECT_TRUE(read_image(*source, *found));
  EXPECT_EQ(source->find_signatures(found->digest).value()->digest, image_.signatures.digest);
  EXPECT_EQ(source->names(), std::vector<std::string>{"v1"});
  EXPECT_TRUE(BlobCopy::read(*source->open_blob(image_.layer).value(), image_.layer));
}

TEST_P(Destination, FetchesALayerOnceThatAnImageHasTwice) {
  const auto destination = ImageDestination::open(reference_).value();
  for (int i = 0; i < 2; ++i) {
    auto layer = destination->copy_blob(source_, image_.layer);
    ASSERT_TRUE(layer) << layer.error().message();
    const auto bytes = std::move(*layer).open();
    Bytes first(1);
    ASSERT_TRUE(read_fully(*bytes, first));
    EXPECT_EQ(first[0], std::byte{'x'});
  }
  EXPECT_EQ(source_.opens(image_.layer), 1u);
}

TEST_P(Destination, LeavesNothingWithoutCommit) {
  {
    const auto destination = ImageDestination::open(reference_).value();
    ASSERT_TRUE(destination->copy_blob(source_, image_.layer));
    EXPECT_TRUE(destination->has_blob(image_.layer).value()) << "staged";
    const auto blob = destination->new_blob().value();
    ASSERT_TRUE(blob->write(as_bytes("half")));
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

TEST_P(Destination, RefusesABlobThatIsNotItsDigest) {
  const auto destination = ImageDestination::open(reference_).value();
  ASSERT_TRUE(source_.open_blob(image_.layer));  // from now on it is another
  const auto copied = destination->copy_blob(source_, image_.layer);
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().kind(), ErrorKind::tampered);
  EXPECT_FALSE(destination->has_blob(image_.layer).value());
}

INSTANTIATE_TEST_SUITE_P(Kinds, Destination, testing::Values("oci", "oci-archive"),
                         [](const auto& kind) {
                           return std::string(kind.index == 0 ? "directory" : "archive");
                         });

TEST(ImageDestination, KnowsWhereItCanWrite) {
  const auto kind_of = [](const std::string& text) {
    const auto opened = ImageDestination::open(**parse_reference(text));
    EXPECT_FALSE(opened);
    return opened.error().kind();
  };
  EXPECT_EQ(kind_of("docker://localhost/app:1"), ErrorKind::unsupported);
  EXPECT_EQ(kind_of("rootfs:/tmp"), ErrorKind::unsupported);
  EXPECT_EQ(kind_of("oci:/nowhere/at/all"), ErrorKind::invalid_argument);
  EXPECT_EQ(kind_of("oci:/tmp@sha256:" + std::string(64, 'a')), ErrorKind::invalid_argument);
}

TEST(ImageSource, KeepsADocumentThatItHasChecked) {
  CountingSource source;
  const Descriptor document = source.add(kConfigType, "text");
  EXPECT_EQ(as_text(source.read_document(document).value()), "text");
  EXPECT_EQ(as_text(source.read_document(document).value()), "text");
  EXPECT_EQ(source.opens(document), 1u);
  // What is kept is not returned for a document of another size.
  Descriptor longer = document;
  longer.size += 1;
  EXPECT_FALSE(source.read_document(longer));
}

}  // namespace
}  // namespace intact::oci
