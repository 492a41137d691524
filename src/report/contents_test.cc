#include <gtest/gtest.h>

#include <intact/report/contents.h>

namespace intact::report {
namespace {

TEST(FoundLayers, AreIndentedAndLeaveEmptyFactsOut) {
  const FoundLayers found{
      .file = "disk",
      .size = 8192,
      .layers = {{.format = "verity",
                  .title = "dm-verity",
                  .offset = 4096,
                  .facts = {{"hash", "sha256"}, {"salt", ""}, {"data_blocks", 7}}},
                 {.format = "erofs", .title = "EROFS", .offset = 0, .facts = Json::object()}}};
  EXPECT_EQ(to_text(found),
            "disk: 8192 bytes\n"
            "  dm-verity, at byte 4096\n"
            "    hash: sha256\n"
            "    data_blocks: 7\n"
            "    EROFS, at byte 0\n");
  const Json json = to_json(found);
  EXPECT_EQ(json["size"], 8192);
  EXPECT_EQ(json["layers"][0]["salt"], "");
  EXPECT_EQ(json["layers"][1]["format"], "erofs");
}

TEST(FoundLayers, AreSaidToBeMissing) {
  const FoundLayers none{.file = "a\x1b", .size = 1};
  EXPECT_EQ(to_text(none), "a\\x1b: 1 bytes\n  no known format\n");
  EXPECT_EQ(intact::to_text(to_json(none)["layers"]), "[]");
}

TEST(ComposefsImage, IsSummarized) {
  const ComposefsImage image{
      .file = "image",
      .info = {.format_version = 1, .has_acl = true, .inodes = 300, .size = 4096},
      .digest = *Digest::parse("sha256:" + std::string(64, 'a'))};
  EXPECT_EQ(to_text(image),
            "image\n  format:  composefs-1\n  digest:  sha256:" + std::string(64, 'a') +
                "\n  size:    4096 bytes\n"
                "  inodes:  300 (up to 256 of them are whiteouts that hide the "
                "objects)\n  ACLs:    yes\n");
  EXPECT_EQ(to_json(image)["acl"], true);
  EXPECT_EQ(to_json(image)["inodes"], 300);
}

TEST(Dump, BecomesItsLines) {
  EXPECT_EQ(intact::to_text(dump_json("/ 0\n/a 1\n")), R"({"lines":["/ 0","/a 1"]})");
  EXPECT_EQ(intact::to_text(dump_json("")), R"({"lines":[]})");
}

}  // namespace
}  // namespace intact::report
