#include "layout_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/oci/media_types.h>
#include <intact/oci/testing/test_tar.h>

#include "test_command.h"
#include "test_layout.h"

namespace intact::oci {
namespace {

using namespace test;

const Platform kAmd64{"linux", "amd64", ""};

Result<Descriptor> put_image(LayoutWriter& writer, const std::string& layer) {
  const Descriptor blob = TRY(writer.put_blob(as_bytes(layer), kLayerType));
  const Descriptor config = TRY(writer.put_blob(make_config(kAmd64, {blob.digest}), kConfigType));
  const Manifest manifest{std::string(kManifestType), config, {blob}, {}, {}, {}, {}};
  return writer.put_blob(encode_manifest(manifest), kManifestType);
}

std::unique_ptr<ImageSource> source_of(const std::string& dir) {
  auto source = ImageSource::open({Reference::Transport::oci, dir, {}, {}});
  EXPECT_TRUE(source) << source.error().message();
  return std::move(source).value();
}

std::string text_of(const std::string& path) {
  return std::string(as_text(read_file(path, 1 << 20).value()));
}

std::vector<std::string> files_in(const std::string& dir) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    if (entry.is_regular_file())
      names.push_back(std::filesystem::relative(entry.path(), dir).string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(LayoutWriter, WritesWhatSourcesRead) {
  const TempDir dir = TempDir::create().value();
  const std::string path = dir.path("layout");
  auto writer = LayoutWriter::open_or_create(path).value();
  const Descriptor manifest = put_image(*writer, file("a", "1") + kEnd).value();
  ASSERT_TRUE(writer->set_tag("1.0", manifest));
  EXPECT_FALSE(std::filesystem::exists(path + "/index.json"));
  ASSERT_TRUE(writer->commit());
  const auto source = source_of(path);
  const auto found = source->resolve("1.0", kAmd64);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->digest, manifest.digest);
  EXPECT_TRUE(read_image(*source, *found));
  EXPECT_EQ(files_in(path).size(), 5u);
}

TEST(LayoutWriter, LeavesNothingWithoutCommit) {
  const TempDir dir = TempDir::create().value();
  const std::string path = dir.path("layout");
  {
    auto writer = LayoutWriter::open_or_create(path).value();
    ASSERT_TRUE(put_image(*writer, "x"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  {
    auto writer = LayoutWriter::open_or_create(path).value();
    ASSERT_TRUE(writer->set_tag("t", put_image(*writer, "x").value()));
    ASSERT_TRUE(writer->commit());
  }
  const auto before = files_in(path);
  const std::string index = text_of(path + "/index.json");
  {
    auto writer = LayoutWriter::open_or_create(path).value();
    ASSERT_TRUE(writer->set_tag("u", put_image(*writer, "other").value()));
  }
  EXPECT_EQ(files_in(path), before);
  EXPECT_EQ(text_of(path + "/index.json"), index);
}

TEST(LayoutWriter, GoesOnWhereAFirstWriterFailed) {
  const TempDir dir = *TempDir::create();
  for (const bool has_layout : {true, false}) {
    const std::string path = dir.path(has_layout ? "layout" : "other");
    std::filesystem::create_directories(path + "/blobs/sha256");
    std::ofstream(path + (has_layout ? "/oci-layout" : "/index.json"))
        << (has_layout ? R"({"imageLayoutVersion":"1.0.0"})" : R"({"schemaVersion":2})");
    const auto writer = LayoutWriter::open_or_create(path);
    ASSERT_EQ(writer.has_value(), has_layout);
    if (!has_layout) continue;
    EXPECT_TRUE((*writer)->commit());
    EXPECT_TRUE(std::filesystem::exists(path + "/index.json"));
  }
}

TEST(LayoutWriter, WhatIsAddedUnnamedHasNoName) {
  const TempDir dir = TempDir::create().value();
  const auto writer = LayoutWriter::open_or_create(dir.path()).value();
  Descriptor image = put_image(*writer, "1").value();
  ASSERT_TRUE(writer->set_tag("t", image));
  image.annotations[std::string(kRefName)] = "u";
  image.annotations["kept"] = "yes";
  writer->add_unnamed(image);
  ASSERT_TRUE(writer->commit());
  EXPECT_EQ(writer->find_tag("t").size(), 1U);
  EXPECT_TRUE(writer->find_tag("u").empty());
  const std::vector<Descriptor> unnamed = writer->find_tag("");
  ASSERT_EQ(unnamed.size(), 1U);
  EXPECT_EQ(unnamed[0].annotation("kept"), "yes");
}

TEST(LayoutWriter, TagsReplaceAndUnknownFieldsStay) {
  const TempDir dir = TempDir::create().value();
  auto writer = LayoutWriter::open_or_create(dir.path()).value();
  const Descriptor one = put_image(*writer, "1").value();
  const Descriptor two = put_image(*writer, "2").value();
  ASSERT_TRUE(writer->set_tag("t", one));
  ASSERT_TRUE(writer->set_tag("u", one));
  ASSERT_TRUE(writer->commit());
  std::string index = text_of(dir.path("index.json"));
  index.replace(index.find("{"), 1, R"({"x-extra":{"b":1,"a":2},)");
  std::ofstream(dir.path("index.json")) << index;
  writer.reset();
  writer = LayoutWriter::open_or_create(dir.path()).value();
  Descriptor marked = two;
  marked.annotations[std::string(kCosignKind)] = kCosignKindImage;
  ASSERT_TRUE(writer->set_tag("t", marked));
  EXPECT_EQ(writer->find_tag("t").at(0).digest, two.digest);
  ASSERT_TRUE(writer->commit());
  EXPECT_THAT(text_of(dir.path("index.json")), testing::HasSubstr(R"("x-extra":{"b":1,"a":2})"));
  EXPECT_EQ(source_of(dir.path())->resolve("t", kAmd64)->digest, two.digest);
  EXPECT_EQ(source_of(dir.path())->resolve("u", kAmd64)->digest, one.digest);
  writer->remove_annotation(kCosignKind, "another value");
  EXPECT_EQ(writer->find_tag("t").at(0).annotation(kCosignKind), kCosignKindImage);
  writer->remove_annotation(kCosignKind);
  EXPECT_EQ(writer->find_tag("t").at(0).annotation(kCosignKind), "");
}

/// All that a copy holds, which is what was hashed.
std::string bytes_of(Result<BlobCopy> copy) {
  if (!copy) return copy.error().message();
  const auto stream = std::move(*copy).open();
  Bytes bytes(1 << 26);
  bytes.resize(read_fully(*stream, bytes).value());
  return std::string(as_text(bytes));
}

TEST(LayoutWriter, ReturnsTheBytesThatWereHashed) {
  const TempDir dir = TempDir::create().value();
  // In memory, and in files.
  for (const std::string& content : {std::string("small"), std::string(20'000'000, 'x')}) {
    TestLayout from;
    const Blob blob = from.blob(content);
    from.index({});
    const Descriptor descriptor{"x", Digest::parse(blob.digest).value(), blob.size, {}, {}, {}, {}};
    const std::string path = "blobs/sha256/" + descriptor.digest.hex();
    const auto source = source_of(from.path());
    auto writer = LayoutWriter::open_or_create(dir.path("l")).value();
    auto copied = writer->copy_blob(*source, descriptor);
    auto staged = writer->copy_blob(*source, descriptor);
    ASSERT_TRUE(writer->commit());
    auto present = writer->copy_blob(*source, descriptor);
    // Whatever becomes of the files that were read and written.
    from.write(path, std::string(content.size(), 'y'));
    std::filesystem::remove(dir.path("l/" + path));
    std::ofstream(dir.path("l/" + path)) << std::string(content.size(), 'z');
    EXPECT_TRUE(bytes_of(std::move(copied)) == content);
    EXPECT_TRUE(bytes_of(std::move(staged)) == content);
    EXPECT_TRUE(bytes_of(std::move(present)) == content);
  }
}

TEST(LayoutWriter, FollowsNoLinkInThePlaceOfADirectory) {
  for (const char* name : {"blobs", "blobs/sha256"}) {
    const TempDir dir = TempDir::create().value();
    std::filesystem::create_directories(dir.path("l/blobs/sha256"));
    std::filesystem::create_directories(dir.path("outside/sha256"));
    std::ofstream(dir.path("l/oci-layout")) << R"({"imageLayoutVersion":"1.0.0"})";
    std::filesystem::rename(dir.path("l/" + std::string(name)), dir.path("kept"));
    std::filesystem::create_directory_symlink(dir.path("outside"),
                                              dir.path("l/" + std::string(name)));
    auto writer = LayoutWriter::open_or_create(dir.path("l")).value();
    ASSERT_TRUE(writer->set_tag("t", put_image(*writer, "1").value()));
    const auto committed = writer->commit();
    ASSERT_FALSE(committed) << name;
    EXPECT_EQ(committed.error().kind(), ErrorKind::tampered);
    EXPECT_NE(committed.error().message().find("not a directory but a link"), std::string::npos);
    writer.reset();
    EXPECT_EQ(files_in(dir.path("outside")).size(), 0u);
    // With a directory there it works.
    std::filesystem::remove(dir.path("l/" + std::string(name)));
    std::filesystem::rename(dir.path("kept"), dir.path("l/" + std::string(name)));
    writer = LayoutWriter::open_or_create(dir.path("l")).value();
    ASSERT_TRUE(writer->set_tag("t", put_image(*writer, "1").value()));
    EXPECT_TRUE(writer->commit());
  }
}

TEST(LayoutWriter, CopiesBlobsAndRepairsDamagedOnes) {
  TestLayout from;
  const Blob blob = from.blob("the blob");
  from.index({});
  const Descriptor descriptor{"x", Digest::parse(blob.digest).value(), blob.size, {}, {}, {}, {}};
  const TempDir dir = TempDir::create().value();
  auto writer = LayoutWriter::open_or_create(dir.path()).value();
  const auto source = source_of(from.path());
  const std::string here = dir.path("blobs/sha256/" + descriptor.digest.hex());
  ASSERT_TRUE(writer->copy_blob(*source, descriptor));
  ASSERT_TRUE(writer->commit());
  EXPECT_EQ(text_of(here), "the blob");
  std::ofstream(here) << "the b1ob";
  ASSERT_TRUE(writer->copy_blob(*source, descriptor));
  ASSERT_TRUE(writer->commit());
  EXPECT_EQ(text_of(here), "the blob");
  // Intact, it is not copied again: the source need not have it any more.
  from.write("blobs/sha256/" + descriptor.digest.hex(), "the bl0b");
  EXPECT_TRUE(writer->copy_blob(*source, descriptor));
  std::filesystem::remove(here);
  EXPECT_EQ(writer->copy_blob(*source, descriptor).error().kind(), ErrorKind::tampered);
  writer.reset();
  EXPECT_EQ(files_in(dir.path()).size(), 2u);
}

TEST(LayoutWriter, OnlyOneWriterAndOnlyInLayouts) {
  const TempDir dir = TempDir::create().value();
  auto writer = LayoutWriter::open_or_create(dir.path("l")).value();
  EXPECT_EQ(LayoutWriter::open_or_create(dir.path("l")).error().kind(), ErrorKind::busy);
  ASSERT_TRUE(writer->commit());
  writer.reset();
  EXPECT_TRUE(LayoutWriter::open_or_create(dir.path("l")));
  std::ofstream(dir.path("precious")) << "x";
  EXPECT_EQ(LayoutWriter::open_or_create(dir.path()).error().kind(), ErrorKind::exists);
  EXPECT_TRUE(std::filesystem::exists(dir.path("precious")));
}

TEST(LayoutArchiveWriter, IsDeterministicAndReadsBack) {
  const TempDir dir = TempDir::create().value();
  auto writer = LayoutWriter::open_or_create(dir.path("l")).value();
  const Descriptor manifest = put_image(*writer, file("a", "1") + kEnd).value();
  ASSERT_TRUE(writer->set_tag("t", manifest));
  ASSERT_TRUE(writer->commit());
  ASSERT_TRUE(write_layout_archive(dir.path("l"), dir.path("a.tar")));
  ASSERT_TRUE(write_layout_archive(dir.path("l"), dir.path("b.tar")));
  EXPECT_TRUE(text_of(dir.path("a.tar")) == text_of(dir.path("b.tar")));
  const auto source =
      ImageSource::open({Reference::Transport::oci_archive, dir.path("a.tar"), {}, {}});
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_EQ((*source)->resolve("t", kAmd64)->digest, manifest.digest);
}

TEST(Skopeo, ReadsWhatWeWriteAndWritesWhatWeRead) {
  if (!has_command("skopeo")) GTEST_SKIP() << "skopeo is not installed";
  const TempDir dir = TempDir::create().value();
  auto writer = LayoutWriter::open_or_create(dir.path("l")).value();
  const std::string layer = file("a", "1") + kEnd;
  const Descriptor manifest = put_image(*writer, layer).value();
  ASSERT_TRUE(writer->set_tag("t", manifest));
  ASSERT_TRUE(writer->commit());
  ASSERT_TRUE(write_layout_archive(dir.path("l"), dir.path("l.tar")));
  const std::string skopeo = "skopeo --tmpdir " + dir.path() + " --insecure-policy ";
  for (const std::string& ours :
       {"oci:" + dir.path("l") + ":t", "oci-archive:" + dir.path("l.tar") + ":t"}) {
    int status = 0;
    const std::string shown = run(skopeo + "inspect " + ours, &status);
    EXPECT_EQ(status, 0) << shown;
    EXPECT_THAT(shown, testing::HasSubstr(manifest.digest.to_string()));
  }
  const auto diff_id = crypto::sha256(as_bytes(layer));
  for (const std::string& theirs :
       {"oci:" + dir.path("s") + ":x", "oci-archive:" + dir.path("s.tar") + ":x",
        "docker-archive:" + dir.path("d.tar") + ":h/x:1"}) {
    int status = 0;
    const std::string log = run(skopeo + "copy oci:" + dir.path("l") + ":t " + theirs, &status);
    ASSERT_EQ(status, 0) << log;
    const Reference reference = *parse_reference(theirs).value();
    const auto source = ImageSource::open(reference);
    ASSERT_TRUE(source) << source.error().message();
    const auto found = (*source)->resolve(reference.tag, kAmd64);
    ASSERT_TRUE(found) << found.error().message();
    const auto documents = read_image(**source, *found);
    ASSERT_TRUE(documents) << documents.error().message();
    EXPECT_EQ(documents->config.diff_ids.at(0), diff_id);
  }
}

TEST(Umoci, UnpacksWhatWeWrite) {
  if (!has_command("umoci")) GTEST_SKIP() << "umoci is not installed";
  const TempDir dir = TempDir::create().value();
  auto writer = LayoutWriter::open_or_create(dir.path("l")).value();
  ASSERT_TRUE(writer->set_tag("t", put_image(*writer, file("a", "1") + kEnd).value()));
  ASSERT_TRUE(writer->commit());
  const std::string log =
      run("umoci unpack --rootless --image " + dir.path("l") + ":t " + dir.path("bundle"));
  ASSERT_TRUE(std::filesystem::exists(dir.path("bundle/rootfs/a"))) << log;
  EXPECT_EQ(text_of(dir.path("bundle/rootfs/a")), "1");
}

}  // namespace
}  // namespace intact::oci
