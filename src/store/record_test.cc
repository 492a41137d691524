#include "record.h"

#include <gtest/gtest.h>

#include "test_images.h"

namespace intact::store {
namespace {

NamedImage full_record() {
  NamedImage image = TestImage({"x"}).record("host/repo:tag");
  image.image.format = "other-1";
  image.evidence = {{"simple-signing", crypto::sha256(as_bytes("signature"))},
                    {"later-kind", crypto::sha256(as_bytes("bundle"))}};
  image.created = 1700000000;
  image.size = 12345;
  image.layers_kept = false;
  image.blobs = {image.manifest, image.evidence[0].document};
  image.object_dirs = {"/var/lib/objects"};
  image.through = {image.manifest};
  return image;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Record, SurvivesTheRoundTrip) {
  const NamedImage image = full_record();
  const NamedImage back = must(parse_record(as_bytes(encode_record(image))));
  EXPECT_EQ(back.name, image.name);
  EXPECT_EQ(back.manifest, image.manifest);
  EXPECT_EQ(back.image, image.image);
  EXPECT_EQ(back.evidence, image.evidence);
  EXPECT_EQ(back.source, image.source);
  EXPECT_EQ(back.created, image.created);
  EXPECT_EQ(back.size, image.size);
  EXPECT_EQ(back.layers_kept, image.layers_kept);
  EXPECT_EQ(back.blobs, image.blobs);
  EXPECT_EQ(back.object_dirs, image.object_dirs);
  EXPECT_EQ(back.through, image.through);
}

TEST(Record, OfVersionOneIsOfTheFirstFormatWithOnePieceOfEvidence) {
  const std::string digest = "sha256:" + std::string(64, 'a');
  const std::string old =
      R"({"version":1,"name":"app","manifest":")" + digest + R"(","image":")" + digest +
      R"(","signature_manifest":")" + digest +
      R"(","source":"oci:x","created":1,"size":2,"layers_kept":true,"blobs":[]})";
  const NamedImage image = must(parse_record(as_bytes(old)));
  EXPECT_EQ(image.image, (ImageId{"composefs-1", must(Digest::parse(digest))}));
  EXPECT_EQ(image.evidence,
            (std::vector<EvidenceRef>{{"simple-signing", must(Digest::parse(digest))}}));
  // The number of documents that a record makes others read is bounded.
  NamedImage many = full_record();
  many.evidence.assign(128, many.evidence.front());
  EXPECT_TRUE(parse_record(as_bytes(encode_record(many))));
  many.evidence.push_back(many.evidence.front());
  EXPECT_ERROR(limit, parse_record(as_bytes(encode_record(many))));
  // However many of them are in the place of version 1.
  many.evidence.assign(128, many.evidence.front());
  EXPECT_ERROR(
      limit,
      parse_record(as_bytes(replaced(encode_record(many), "\"evidence\"",
                                     R"("signature_manifest":")" + digest + R"(","evidence")"))));
  // What was unsigned stays so.
  const std::size_t at = old.find("\"signature_manifest\"");
  const std::string bare = old.substr(0, at) + old.substr(old.find("\"source\""));
  EXPECT_TRUE(must(parse_record(as_bytes(bare))).evidence.empty());
}

TEST(Record, RefusesWhatItCannotBelieve) {
  const std::string good = encode_record(full_record());
  ASSERT_TRUE(parse_record(as_bytes(good)));
  EXPECT_ERROR(unsupported,
               parse_record(as_bytes(replaced(good, "\"version\":2", "\"version\":3"))));
  EXPECT_ERROR(malformed, parse_record(as_bytes(replaced(good, "\"version\":2", "\"version\":0"))));
  EXPECT_ERROR(malformed, parse_record(as_bytes(replaced(good, "\"version\":2,", ""))));
  EXPECT_ERROR(malformed, parse_record(as_bytes(replaced(good, "host/repo:tag", "oci:dir"))));
  EXPECT_ERROR(malformed, parse_record(as_bytes(replaced(good, "sha256:", "sha256:../"))));
  EXPECT_ERROR(malformed, parse_record(as_bytes(replaced(good, "false", "0"))));
  EXPECT_ERROR(malformed, parse_record(as_bytes(replaced(good, "[\"sha256", "[7,\"sha256"))));
  EXPECT_ERROR(malformed, parse_record(as_bytes(good.substr(0, good.size() / 2))));
  EXPECT_ERROR(malformed, parse_record({}));
}

}  // namespace
}  // namespace intact::store
