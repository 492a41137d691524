#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/oci/hashing_stream.h>
#include <intact/oci/image_source.h>
#include <intact/oci/testing/test_tar.h>

#include "test_command.h"
#include "test_layout.h"

namespace intact::oci {
namespace {

using namespace test;
using testing::HasSubstr;

const Platform kAmd64{"linux", "amd64", ""};
const std::string kLayer = file("a", "1") + kEnd;

Result<std::unique_ptr<ImageSource>> open(const std::string& reference) {
  return ImageSource::open(*TRY(parse_reference(reference)));
}

Result<Descriptor> resolve(const TestLayout& layout, const std::string& tag,
                           const Platform& platform = kAmd64) {
  return TRY(open("oci:" + layout.path()))->resolve(tag, platform);
}

std::string manifest_of(const Blob& blob, const std::string& more = {}) {
  return TestLayout::descriptor(kManifest, blob, more);
}

TEST(Layout, FindsDigests) {
  TestLayout layout;
  const Blob one = layout.image("amd64", {kLayer});
  const Blob two = layout.image("amd64", {kLayer, kLayer});
  layout.index({manifest_of(one, named("t")), manifest_of(two, named("u"))});
  for (const Blob& blob : {one, two}) {
    const std::string reference = "oci:" + layout.path() + "@" + blob.digest;
    const auto source = open(reference);
    ASSERT_TRUE(source) << source.error().message();
    const auto found = (*source)->resolve("", kAmd64);
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_EQ(found->digest.to_string(), blob.digest);
    EXPECT_EQ(to_string(**parse_reference(reference)), reference);
  }
  const std::string other = "sha256:" + std::string(64, '0');
  const auto none = open("oci:" + layout.path() + "@" + other).value()->resolve("", kAmd64);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind(), ErrorKind::not_found);
  EXPECT_THAT(none.error().message(), HasSubstr("no image " + other));
  EXPECT_FALSE(parse_reference("oci:" + layout.path() + "@sha256:12"));
}

TEST(Layout, FindsTags) {
  TestLayout layout;
  const Blob one = layout.image("amd64", {kLayer});
  const Blob two = layout.image("amd64", {kLayer, kLayer});
  layout.index({manifest_of(one, named("one")), manifest_of(two, named("two"))});
  EXPECT_EQ(resolve(layout, "one")->digest.to_string(), one.digest);
  EXPECT_EQ(resolve(layout, "two")->digest.to_string(), two.digest);
  EXPECT_THAT(open("oci:" + layout.path()).value()->names(), testing::ElementsAre("one", "two"));
  const auto none = resolve(layout, "three");
  EXPECT_EQ(none.error().kind(), ErrorKind::not_found);
  EXPECT_THAT(none.error().message(), HasSubstr("one, two"));
  const auto unnamed = resolve(layout, "");
  EXPECT_EQ(unnamed.error().kind(), ErrorKind::invalid_argument);
  EXPECT_THAT(unnamed.error().message(), HasSubstr("one, two"));
  layout.index({manifest_of(one, named("one")), manifest_of(two, named("one"))});
  EXPECT_EQ(resolve(layout, "one").error().kind(), ErrorKind::malformed);
  layout.index({manifest_of(one, named("one")), manifest_of(one, named("one"))});
  EXPECT_TRUE(resolve(layout, "one"));
  layout.index({manifest_of(one, R"("annotations":{"io.containerd.image.name":"h/r:1"})")});
  EXPECT_TRUE(resolve(layout, "h/r:1"));
  EXPECT_TRUE(resolve(layout, ""));
}

TEST(Layout, ChoosesPlatforms) {
  TestLayout layout;
  const Blob amd = layout.image("amd64", {kLayer});
  const Blob arm = layout.image("arm64", {kLayer});
  const Blob attestation = layout.image("unknown", {});
  // Directly under one name, in an index, and in an index within.
  layout.index({manifest_of(arm, named("t") + "," + on("arm64")),
                manifest_of(amd, named("t") + "," + on("amd64"))});
  EXPECT_EQ(resolve(layout, "t")->digest.to_string(), amd.digest);
  const Blob inner = layout.blob(
      TestLayout::index_text({manifest_of(attestation, on("unknown", "unknown")),
                              TestLayout::descriptor("application/x", arm),
                              manifest_of(arm, on("arm64")), manifest_of(amd, on("amd64"))}));
  layout.index({TestLayout::descriptor(kIndex, inner, named("t"))});
  EXPECT_EQ(resolve(layout, "t")->digest.to_string(), amd.digest);
  EXPECT_EQ(resolve(layout, "t", {"linux", "arm64", "v8"})->digest.to_string(), arm.digest);
  const Blob outer = layout.blob(TestLayout::index_text({TestLayout::descriptor(kIndex, inner)}));
  layout.index({TestLayout::descriptor(kIndex, outer, named("t"))});
  EXPECT_EQ(resolve(layout, "t")->digest.to_string(), amd.digest);
  const auto other = resolve(layout, "t", {"linux", "riscv64", ""});
  EXPECT_EQ(other.error().kind(), ErrorKind::unsupported);
  EXPECT_THAT(other.error().message(), HasSubstr("linux/amd64, linux/arm64"));
  EXPECT_THAT(other.error().message(), testing::Not(HasSubstr("unknown")));
  // Without platforms in the index the configs tell.
  const Blob plain = layout.blob(TestLayout::index_text({manifest_of(arm), manifest_of(amd)}));
  layout.index({TestLayout::descriptor(kIndex, plain, named("t"))});
  EXPECT_EQ(resolve(layout, "t")->digest.to_string(), amd.digest);
}

TEST(Layout, TellsWhichIndexesLedToAManifest) {
  TestLayout layout;
  const Blob amd = layout.image("amd64", {kLayer});
  const Blob other = layout.blob(TestLayout::index_text({}));
  const Blob inner = layout.blob(TestLayout::index_text({manifest_of(amd, on("amd64"))}));
  const Blob outer = layout.blob(TestLayout::index_text(
      {TestLayout::descriptor(kIndex, other), TestLayout::descriptor(kIndex, inner)}));
  layout.index({TestLayout::descriptor(kIndex, outer, named("nested")),
                manifest_of(amd, named("plain") + "," + on("amd64"))});
  const auto through = [&](const std::string& reference) {
    const auto source = open("oci:" + layout.path() + reference);
    const std::string tag = reference.starts_with(':') ? reference.substr(1) : "";
    const auto located = source.value()->locate(tag, kAmd64);
    EXPECT_TRUE(located) << reference;
    std::vector<std::string> digests;
    if (!located) return digests;
    EXPECT_EQ(located->manifest.digest.to_string(), amd.digest);
    for (const Digest& digest : located->through) digests.push_back(digest.to_string());
    return digests;
  };
  EXPECT_EQ(through(":nested"), (std::vector{inner.digest, outer.digest}));
  EXPECT_EQ(through("@" + outer.digest), (std::vector{inner.digest, outer.digest}));
  EXPECT_EQ(through("@" + inner.digest), std::vector{inner.digest});
  EXPECT_EQ(through(":plain"), std::vector<std::string>());
  EXPECT_EQ(through("@" + amd.digest), std::vector<std::string>());
}

// The search for unlisted bundles reads every small blob. What it has read is used from then on, so
// that nobody can have it look at other bytes than those that are used.
TEST(Layout, OpensNoBlobTwice) {
  TestLayout layout;
  const Blob image = layout.image("amd64", {kLayer});
  layout.index({manifest_of(image, named("t"))});
  const auto source = open("oci:" + layout.path()).value();
  const auto found = source->resolve("t", kAmd64);
  ASSERT_TRUE(found);
  EXPECT_TRUE(source->referrers(found->digest)->empty());
  const Digest layer = crypto::sha256(as_bytes(kLayer));
  layout.write("blobs/sha256/" + layer.hex(), std::string(kLayer.size(), 'x'));
  const Descriptor descriptor{.media_type = "", .digest = layer, .size = kLayer.size()};
  const auto bytes = source->read_document(descriptor);
  ASSERT_TRUE(bytes) << bytes.error().message();
  EXPECT_EQ(as_text(*bytes), kLayer);
  EXPECT_FALSE(*source->open_blob_file(descriptor));
  // A size that its descriptor does not have is refused, as of a file.
  Descriptor longer = descriptor;
  ++longer.size;
  EXPECT_EQ(source->open_blob(longer).error().kind(), ErrorKind::tampered);
  // Another source looks again.
  EXPECT_EQ(open("oci:" + layout.path()).value()->read_document(descriptor).error().kind(),
            ErrorKind::tampered);
}

TEST(Layout, RefusesIndexesNestedTooDeeplyAndBuildCaches) {
  TestLayout layout;
  Blob at = layout.image("amd64", {kLayer});
  std::string type = kManifest;
  for (int depth = 1; depth <= 9; ++depth) {
    at = layout.blob(TestLayout::index_text({TestLayout::descriptor(type, at)}));
    type = kIndex;
    layout.index({TestLayout::descriptor(kIndex, at, named("t"))});
    if (depth <= 8) {
      EXPECT_TRUE(resolve(layout, "t")) << depth;
    } else {
      EXPECT_EQ(resolve(layout, "t").error().kind(), ErrorKind::limit);
    }
  }
  const Blob layer = layout.blob(kLayer);
  const Blob cache = layout.blob(TestLayout::index_text(
      {TestLayout::descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer),
       TestLayout::descriptor("application/vnd.buildkit.cacheconfig.v0", layer)}));
  layout.index({TestLayout::descriptor(kIndex, cache, named("t"))});
  EXPECT_EQ(resolve(layout, "t").error().kind(), ErrorKind::unsupported);
  EXPECT_THAT(resolve(layout, "t").error().message(), HasSubstr("build cache"));
}

TEST(Layout, DocumentsAreVerified) {
  TestLayout layout;
  const Blob image = layout.image("amd64", {kLayer});
  layout.index({manifest_of(image, named("t"))});
  const auto source = open("oci:" + layout.path()).value();
  const Descriptor manifest = source->resolve("t", kAmd64).value();
  const auto documents = read_image(*source, manifest);
  ASSERT_TRUE(documents) << documents.error().message();
  EXPECT_EQ(documents->config.diff_ids.size(), 1u);

  const std::string path = "blobs/sha256/" + manifest.digest.hex();
  const std::string good(as_text(documents->manifest_bytes));
  std::string flipped = good;
  flipped[20] ^= 1;
  layout.write(path, flipped);
  // What has been checked once is kept; who comes later finds what is there now.
  EXPECT_TRUE(source->read_document(manifest));
  const auto read_again = [&] {
    return open("oci:" + layout.path()).value()->read_document(manifest);
  };
  EXPECT_EQ(read_again().error().kind(), ErrorKind::tampered);
  layout.write(path, good + " ");
  EXPECT_EQ(read_again().error().kind(), ErrorKind::tampered);
  layout.write(path, good.substr(1));
  EXPECT_EQ(read_again().error().kind(), ErrorKind::tampered);
  std::filesystem::remove(layout.path() + "/" + path);
  EXPECT_EQ(read_again().error().kind(), ErrorKind::not_found);
  layout.write(path, good);
  EXPECT_TRUE(read_again());
  Descriptor huge = manifest;
  huge.size = kMaxDocument + 1;
  EXPECT_EQ(source->read_document(huge).error().kind(), ErrorKind::limit);
}

TEST(Layout, BlobsStreamAndAreCheckedByTheReader) {
  TestLayout layout;
  const Blob image = layout.image("amd64", {kLayer});
  layout.index({manifest_of(image, named("t"))});
  const auto source = open("oci:" + layout.path()).value();
  const auto documents = read_image(*source, source->resolve("t", kAmd64).value()).value();
  const Descriptor& layer = documents.manifest.layers.at(0);
  const auto check = [&]() -> Result<void> {
    return CheckedStream(TRY(source->open_blob(layer)), layer.digest, layer.size).finish();
  };
  EXPECT_TRUE(check());
  std::string flipped = kLayer;
  flipped[600] ^= 1;
  layout.write("blobs/sha256/" + layer.digest.hex(), flipped);
  EXPECT_EQ(check().error().kind(), ErrorKind::tampered);
  layout.write("blobs/sha256/" + layer.digest.hex(), kLayer);
  EXPECT_TRUE(check());
}

TEST(Layout, ReferencesToWhatIsNoLayout) {
  const TempDir dir = TempDir::create().value();
  EXPECT_EQ(open("oci:" + dir.path()).error().kind(), ErrorKind::not_found);
  EXPECT_EQ(open("oci:" + dir.path("none")).error().kind(), ErrorKind::not_found);
  EXPECT_EQ(open("docker://h.io/r:t").error().kind(), ErrorKind::unsupported);
  EXPECT_EQ(open("rootfs:/").error().kind(), ErrorKind::invalid_argument);
  TestLayout layout;
  layout.index({});
  EXPECT_TRUE(open("oci:" + layout.path()));
  layout.write("oci-layout", R"({"imageLayoutVersion":"2.0.0"})");
  EXPECT_EQ(open("oci:" + layout.path()).error().kind(), ErrorKind::unsupported);
}

TEST(Layout, FindsSignatures) {
  TestLayout layout;
  const Blob image = layout.image("amd64", {kLayer});
  const Blob other = layout.image("amd64", {});
  const Blob signature = layout.image("arm64", {});
  const Digest digest = Digest::parse(image.digest).value();
  const auto find = [&] { return open("oci:" + layout.path()).value()->find_signatures(digest); };
  layout.index({manifest_of(image, named("t"))});
  EXPECT_EQ(find().value(), std::nullopt);
  layout.index(
      {manifest_of(image, named("t")), manifest_of(signature, named(signature_tag(digest)))});
  EXPECT_EQ(find().value()->digest.to_string(), signature.digest);
  EXPECT_TRUE(resolve(layout, ""));  // a signature is not a second image
  const auto kind = [](const char* value) {
    return R"("annotations":{"kind":"dev.cosignproject.cosign/)" + std::string(value) + "\"}";
  };
  layout.index({manifest_of(image, kind("image")), manifest_of(signature, kind("sigs"))});
  EXPECT_EQ(find().value()->digest.to_string(), signature.digest);
  EXPECT_TRUE(resolve(layout, ""));
  layout.index({manifest_of(other, kind("image")), manifest_of(signature, kind("sigs"))});
  EXPECT_EQ(find().value(), std::nullopt);
  layout.index({manifest_of(signature, named(signature_tag(digest))),
                manifest_of(other, named(signature_tag(digest)))});
  EXPECT_EQ(find().error().kind(), ErrorKind::malformed);
}

TEST(LayoutSource, FindsReferrersByWhatTheySayThemselves) {
  TestLayout layout;
  const Blob image = layout.image("amd64", {kLayer});
  const Digest digest = Digest::parse(image.digest).value();
  const auto referrer = [&](const std::string& more, const std::string& subject) {
    return layout.blob(R"({"schemaVersion":2,"mediaType":")" + kManifest + R"(",)" + more +
                       R"("layers":[],"subject":{"mediaType":")" + kManifest +
                       R"(","size":1,"digest":")" + subject + "\"}}");
  };
  const std::string empty = R"("config":{"mediaType":"application/vnd.oci.empty.v1+json"},)";
  const Blob typed = referrer(empty + R"("artifactType":"a/typed",)", image.digest);
  const Blob by_config = referrer(R"("config":{"mediaType":"a/config"},)", image.digest);
  const Blob other = referrer(empty, "sha256:" + std::string(64, '1'));
  const Blob unlisted =
      referrer(empty + R"("artifactType":"a/unlisted","annotations":{"k":"v"},)", image.digest);
  // What the list says about types is wrong, and one of its entries is missing.
  const Blob list = layout.blob(TestLayout::index_text(
      {manifest_of(by_config, R"("artifactType":"a/lie")"), manifest_of(other),
       manifest_of({"sha256:" + std::string(64, '2'), 10})}));
  layout.index({manifest_of(image, named("t")), manifest_of(typed),
                TestLayout::descriptor(kIndex, list, named("sha256-" + digest.hex()))});
  const auto types = [&](const Digest& subject) -> Result<std::map<std::string, std::string>> {
    std::map<std::string, std::string> found;
    for (const Descriptor& one : TRY(open("oci:" + layout.path()).value()->referrers(subject)))
      found[one.digest.to_string()] = one.artifact_type + one.annotation("k");
    return found;
  };
  const auto found = types(digest);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(*found, (std::map<std::string, std::string>{{typed.digest, "a/typed"},
                                                        {by_config.digest, "a/config"},
                                                        {unlisted.digest, "a/unlistedv"}}));
  EXPECT_EQ(types(Digest::parse(other.digest).value()).value().size(), 0u);

  // A list that cannot be read is an error.
  layout.write("blobs/sha256/" + list.digest.substr(7), "{}");
  EXPECT_EQ(types(digest).error().kind(), ErrorKind::tampered);
}

TEST(LayoutArchive, ReadsPlainAndCompressedOnes) {
  TestLayout layout;
  const Blob image = layout.image("amd64", {kLayer});
  layout.index({manifest_of(image, named("t"))});
  const TempDir out = TempDir::create().value();
  run("tar -C " + layout.path() + " -cf " + out.path("a.tar") + " . && gzip -k " +
      out.path("a.tar"));
  for (const char* name : {"a.tar", "a.tar.gz"}) {
    const auto source = open("oci-archive:" + out.path(name));
    ASSERT_TRUE(source) << source.error().message();
    const auto manifest = (*source)->resolve("t", kAmd64);
    ASSERT_TRUE(manifest) << manifest.error().message();
    const auto documents = read_image(**source, *manifest);
    ASSERT_TRUE(documents) << documents.error().message();
    const Descriptor& layer = documents->manifest.layers.at(0);
    EXPECT_TRUE(
        CheckedStream((*source)->open_blob(layer).value(), layer.digest, layer.size).finish());
  }
  const std::string whole(as_text(read_file(out.path("a.tar"), 1 << 20).value()));
  std::ofstream(out.path("cut.tar")) << whole.substr(0, whole.size() / 2);
  EXPECT_EQ(open("oci-archive:" + out.path("cut.tar")).error().kind(), ErrorKind::malformed);
}

TEST(DockerArchive, ReadsLayersInEveryForm) {
  TestLayout layout;  // only for its blobs
  const Blob layer = layout.blob(kLayer);
  const std::string config = R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers",)"
                             R"("diff_ids":[")" +
                             layer.digest + R"(",")" + layer.digest + R"(",")" + layer.digest +
                             R"("]}})";
  const std::string manifest =
      R"([{"Config":"c.json","RepoTags":["alpine:3"],"Layers":["x/layer.tar","y/layer.tar","z.tar"]}])";
  const TempDir out = TempDir::create().value();
  const auto write = [&](const std::string& name, const std::vector<std::string>& parts) {
    std::ofstream(out.path(name), std::ios::binary) << as_text(archive(parts));
    return open("docker-archive:" + out.path(name));
  };
  const std::vector<std::string> parts{file("c.json", config),
                                       dir("x/"),
                                       file("x/layer.tar", kLayer),
                                       dir("y/"),
                                       symlink("y/layer.tar", "../x/layer.tar"),
                                       hard_link("z.tar", "x/layer.tar"),
                                       file("manifest.json", manifest)};
  const auto source = write("a.tar", parts);
  ASSERT_TRUE(source) << source.error().message();
  for (const char* name : {"", "alpine:3", "docker.io/library/alpine:3"}) {
    const auto found = (*source)->resolve(name, kAmd64);
    ASSERT_TRUE(found) << found.error().message();
    const auto documents = read_image(**source, *found);
    ASSERT_TRUE(documents) << documents.error().message();
    ASSERT_EQ(documents->manifest.layers.size(), 3u);
    for (const Descriptor& l : documents->manifest.layers) {
      EXPECT_EQ(l.digest.to_string(), layer.digest);
      EXPECT_TRUE(CheckedStream((*source)->open_blob(l).value(), l.digest, l.size).finish());
    }
  }
  EXPECT_EQ((*source)->resolve("alpine", kAmd64).error().kind(), ErrorKind::not_found);

  std::vector<std::string> damaged = parts;
  damaged[4] = symlink("y/layer.tar", "layer.tar");  // a circle
  EXPECT_EQ(write("b.tar", damaged).value()->resolve("", kAmd64).error().kind(),
            ErrorKind::malformed);
  damaged.pop_back();
  EXPECT_EQ(write("c.tar", damaged).error().kind(), ErrorKind::not_found);
}

}  // namespace
}  // namespace intact::oci
