#include "canonical_tree.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <intact/oci/layer_applier.h>
#include <intact/oci/testing/test_tar.h>

#include "composefs_annotations.h"
#include "composefs_sink.h"

namespace intact::image {
namespace {

using oci::test::archive;
using oci::test::dir;
using oci::test::file;
using oci::test::hard_link;
using oci::test::pax;
using oci::test::pax_record;
using oci::test::raw;

/// Layers applied as seal does it.
struct Applied {
  tree::Tree tree;
  CanonicalTree canonical;
  Sha512Digests sha512;
  Result<void> outcome;

  explicit Applied(const std::vector<Bytes>& layers) : outcome(apply(layers)) {}

  Result<void> apply(const std::vector<Bytes>& layers) {
    ObjectSink sink(nullptr, &sha512);
    oci::LayerApplier applier(tree, sink, {}, &canonical);
    for (const Bytes& layer : layers) {
      MemoryStream stream(layer);
      TRY(applier.apply(stream));
    }
    return applier.finish();
  }
};

std::string with_time(const std::string& time, const std::string& entry) {
  return pax(pax_record("mtime", time)) + entry;
}

std::string xattr(const std::string& name, const std::string& value) {
  return pax_record("SCHILY.xattr." + name, value);
}

struct Vector {
  std::string name;
  std::vector<Bytes> layers;
  std::string sha256;
  std::string sha512;  ///< the first 16 digits
};

const std::string kUsr = dir("usr");

Vector times() {
  return {"T6",
          {archive({with_time("1700000000.25", kUsr),
                    with_time("1700000000.123456789", file("usr/a", "x"))})},
          "9d162abae09e64e809a692b561840ead448b5c59816d02b9d6193ad291890c53",
          "c8aa41a5a73f0b56"};
}

Vector attributes() {
  const std::string records = xattr("user.k", "v") + xattr("security.capability", "CC") +
                              xattr("security.selinux", "s") + xattr("trusted.t", "t");
  return {"T4",
          {archive({kUsr, pax(records) + file("usr/x", "q")})},
          "37a414856e2f3004b71721aa6c1ae275cb9e9fe61265f173f967673fba9e93cd",
          "1f98244b804f3a4a"};
}

Bytes special_files(const std::string& link_mode) {
  return archive({kUsr,
                  raw({.name = "usr/c",
                       .type = '3',
                       .mode = "0000666",
                       .major = "0000001",
                       .minor = "0000003"}),
                  raw({.name = "usr/b",
                       .type = '4',
                       .mode = "0000660",
                       .major = "0000010",
                       .minor = "0000001"}),
                  raw({.name = "usr/p", .type = '6'}),
                  raw({.name = "usr/l", .type = '2', .link = "/x", .mode = link_mode})});
}

/// What composefs-rs 0.9 makes of these layers, V1, without extended attributes of users.
std::vector<Vector> vectors() {
  std::vector<Vector> all;
  all.push_back({"T1",
                 {archive({with_time("1700000000", raw({.name = "usr",
                                                        .type = '5',
                                                        .mode = "0000750",
                                                        .uid = "0000007",
                                                        .gid = "0000010"})),
                           file("usr/a", "hi")})},
                 "686b87f632c75efb7bb060be074c0ad1b9c5c38200d6562a9ef5ddfbb7cf8074",
                 "a3651c29be474ae9"});
  all.push_back({"T2",
                 {archive({kUsr, file("usr/x", std::string(65, '\0'))})},
                 "1260a3f19871034074c081ac3bda2e6228efb36508375be3507072c439ee65af",
                 "3d607b27a3bb1227"});
  all.push_back({"T3",
                 {archive({with_time("100", kUsr), with_time("5", dir("run", "0000700")),
                           file("run/pid", "1"), file("etc", "z")})},
                 "96efbae39b57f92814d4b6bf17bc63fbf92015723ce4e3b4f0326cd24aeb3d92",
                 "feb3ea9f8e9851b1"});
  all.push_back(attributes());
  all.push_back(
      {"T5",
       {archive({kUsr, dir("usr/d"), file("usr/d/a", std::string(100, 'a')), file("usr/d/b", "b"),
                 hard_link("usr/la", "usr/d/a"), dir("usr/o"), file("usr/o/old", "o")}),
        archive({dir("usr/d", "0000711"), file("usr/d/.wh.a"), dir("usr/o"),
                 file("usr/o/.wh..wh..opq"), file("usr/o/new", "n")})},
       "0e55da1a6d55d62a48697b69799f30b6ebd955587aedf8195723680356a0404b",
       "905ca3f86f85f8f4"});
  all.push_back(times());
  all.push_back({"T7",
                 {special_files("0000755")},
                 "c7d887fc28152aa46285a81e5c7325221360ddcdcb7935128a7887b3c9c079c3",
                 "048854448c6055ba"});
  all.push_back({"T9",
                 {archive({kUsr, file("usr/a", "1"), file("usr/.wh.a")})},
                 "fa233dc70e72c5747b61cb867bc6ce4242e64e0e14be788c4a10d0df259d96f9",
                 "2f211ce0239b2798"});
  return all;
}

TEST(CanonicalTree, DigestsOfComposefsRs) {
  for (const Vector& vector : vectors()) {
    const Applied applied(vector.layers);
    ASSERT_TRUE(applied.outcome) << vector.name << ": " << applied.outcome.error().message();
    const auto merged = merged_digests(applied.canonical, &applied.sha512);
    ASSERT_TRUE(merged) << vector.name << ": " << merged.error().message();
    EXPECT_EQ(merged->sha256->hex(), vector.sha256) << vector.name;
    EXPECT_EQ(merged->sha512->hex().substr(0, 16), vector.sha512) << vector.name;
  }
}

TEST(CanonicalTree, OrdinaryModeOfSymlinks) {
  const Applied applied({special_files("0000777")});
  EXPECT_EQ(merged_digests(applied.canonical, nullptr)->sha256->hex().substr(0, 12),
            "befc4c905e95");
}

TEST(CanonicalTree, SaysWhyThereIsNone) {
  const std::vector<std::pair<std::string, std::string>> layers = {
      {file("etc", "z"), "/usr: the image has no such directory, which the root is described by"},
      {oci::test::symlink("usr", "x"),
       "/usr: the image has no such directory, which the root is described by"},
      {kUsr + file("usr/bin/sh", "z"), "/usr/bin: no entry describes this directory"},
      {kUsr + oci::test::symlink("bin", "usr") + file("bin/sh", "z"),
       "/bin: a symbolic link is the parent of an entry"},
  };
  for (const auto& [layer, reason] : layers) {
    const Applied applied({archive({layer})});
    ASSERT_TRUE(applied.outcome) << layer;  // it is a good image all the same
    const auto tree = applied.canonical.tree();
    ASSERT_FALSE(tree) << reason;
    EXPECT_EQ(tree.error().kind(), ErrorKind::unsupported);
    EXPECT_EQ(tree.error().message(), reason);
  }
}

TEST(CanonicalTree, OneNameOfLibarchiveIsNotRead) {
  const std::string value = "LIBARCHIVE.xattr.security.capability";
  const Applied with({archive({kUsr, pax(pax_record(value, "Q0M")) + file("usr/x", "q")})});
  const Applied without({archive({kUsr, file("usr/x", "q")})});
  ASSERT_TRUE(with.outcome);
  EXPECT_NE(with.tree.find("usr/x")->find_xattr("security.capability"), nullptr);
  EXPECT_EQ(merged_digests(with.canonical, nullptr)->sha256,
            merged_digests(without.canonical, nullptr)->sha256);
}

TEST(CheckMerged, NamesTheRuleThatDiffers) {
  const Applied applied({archive({with_time("7", kUsr), dir("run"), file("run/pid", "1"),
                                  pax(xattr("user.k", "v") + xattr("security.selinux", "s")) +
                                      file("usr/x", std::string(100, 'x')),
                                  raw({.name = "usr/l", .type = '2', .link = "x"})})});
  ASSERT_TRUE(applied.outcome);
  const auto good = merged_digests(applied.canonical, &applied.sha512);
  EXPECT_TRUE(check_merged(applied.canonical, &applied.sha512, *good));

  const std::vector<std::pair<CanonicalRules, std::string>> deviations = {
      {{.xattrs = CanonicalRules::Xattrs::user_too}, "the extended attributes in 'user.' are kept"},
      {{.xattrs = CanonicalRules::Xattrs::all}, "all extended attributes are kept"},
      {{.root_from_usr = false}, "the root is described by its own entry instead of /usr"},
      {{.empty_run = false}, "/run is kept as it is"},
      {{.symlink_modes = false}, "symbolic links have mode 0777"},
  };
  for (const auto& [rules, text] : deviations) {
    const auto other = merged_digests(applied.canonical, &applied.sha512, rules);
    ASSERT_TRUE(other);
    for (const AlgorithmDigests& wanted :
         {AlgorithmDigests{other->sha256, {}}, AlgorithmDigests{{}, other->sha512}}) {
      const auto checked = check_merged(applied.canonical, &applied.sha512, wanted);
      ASSERT_FALSE(checked) << text;
      EXPECT_EQ(checked.error().kind(), ErrorKind::tampered);
      EXPECT_NE(checked.error().message().find("a tree in which " + text + ", so"),
                std::string::npos)
          << checked.error().message();
    }
  }
  const Digest unknown = Digest::parse_hex(std::string(64, '1')).value();
  const auto checked = check_merged(applied.canonical, nullptr, {unknown, {}});
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().message().find("no known difference"), std::string::npos);
}

TEST(ComposefsAnnotations, AreReadAsTheyAreWritten) {
  const Applied applied({archive({kUsr, file("usr/a", "hi")})});
  const auto merged = merged_digests(applied.canonical, &applied.sha512);
  ASSERT_TRUE(merged);
  oci::Manifest manifest;
  manifest.annotations = {{"composefs.merged.erofs.v2.fsverity-sha256-12", "old"}, {"kept", "1"}};
  drop_composefs_annotations(manifest);
  const Bytes config = to_bytes("{}");
  put_composefs_annotations(manifest, *merged, config);
  EXPECT_EQ(manifest.annotations.size(), 3u);
  EXPECT_EQ(manifest.annotations.at("kept"), "1");
  EXPECT_EQ(manifest.annotations.at("composefs.merged.erofs.v1.fsverity-sha256-12"),
            merged->sha256->hex());
  EXPECT_EQ(manifest.annotations.at("composefs.merged.erofs.v1.fsverity-sha512-12"),
            merged->sha512->hex());
  const auto read = annotated_merged(manifest);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->sha256, merged->sha256);
  EXPECT_EQ(read->sha512, merged->sha512);
  EXPECT_TRUE(check_config_annotations(manifest, config));
  const auto other = check_config_annotations(manifest, to_bytes("{ }"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind(), ErrorKind::tampered);

  manifest.annotations["composefs.merged.erofs.v1.fsverity-sha512-12"] = merged->sha256->hex();
  const auto bad = annotated_merged(manifest);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().kind(), ErrorKind::malformed);
}

}  // namespace
}  // namespace intact::image
