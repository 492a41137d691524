#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <intact/composefs/dump.h>
#include <intact/composefs/write.h>
#include <intact/crypto/hash.h>
#include <intact/fsverity/tree.h>

#include "testing.h"

namespace intact::composefs {
namespace {

const std::string kRoot = "/ 0 40755 2 0 0 0 0.0 - - -\n";
const std::string kDigest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string kPayload = "01/" + kDigest.substr(2);

std::string root_with(const std::string& xattrs) {
  return "/ 0 40755 2 0 0 0 0.0 - - - " + xattrs + "\n";
}

std::string numbered(const std::string& format, int count) {
  std::string text;
  for (int i = 1; i <= count; ++i) text += fmt::format(fmt::runtime(format), i);
  return text;
}

std::string inline_file(const std::string& path, std::size_t size, char fill) {
  return fmt::format("{} {} 100644 1 0 0 0 0.0 - {} -\n", path, size, std::string(size, fill));
}

/// What mkcomposefs 1.0.8 makes of a dump: size of the image and its fs-verity digest, for
///   mkcomposefs --from-file --min-version=N --max-version=N --print-digest DUMP IMAGE
struct Vector {
  std::string name;
  std::string dump;
  std::size_t size;
  std::string format_0;
  std::string format_1;
};

std::vector<Vector> vectors() {
  return {
      {"A", kRoot, 16384, "8f589e8f57ecb88823736b0d857ddca1e1068a23e264fad164b28f7038eb3682",
       "14a26c957c84f6eb774b91205476adc13196c7c33b9dd97d08d43725ecb90b63"},
      {"B", std::string("/ 0 40755 2 1000 1000 0 1700000000.5 - - - user.k=v\n"), 16384,
       "d69662744c5e59274e41f4d6ef502b3d6d5a26dc37062318f3f047ba0382b72d",
       "6bfd36dedccdba0275fcaac6ee36f4b56b4620c4b5ffb73bdd4dd5163cc09ac7"},
      {"C", kRoot + "/f 3 100644 1 0 0 0 0.0 - abc -\n", 16384,
       "806abff7dc17ec41f8434e520e50da798ee3fa4931edddc0cd491f8af9c3f43a",
       "fff491ca207c2981cd6bbe3de197380e52f85531180e1d2bc9f088df6f381b47"},
      {"D", kRoot + "/f 65 100644 1 0 0 0 0.0 " + kPayload + " - " + kDigest + "\n", 16384,
       "a648e20890195aea54f58b0a772bba09baee92f2bd0b48201f1f14169aab73a0",
       "d9cf36f1d275a3c5ee78a9f43bd56cb2bdf8f6cfa532719d6c5150f07a7a82ee"},
      {"E",
       kRoot + "/f 65 100644 1 0 0 0 0.0 " + kPayload + " - -\n" +
           "/g 4097 100644 1 0 0 0 7.0 - - " + kDigest + "\n",
       16384, "e666ce4fcad248fac17cccd2b322a61b673577aab9607a0ad3a890910e5ffd38",
       "45345f2882ecb149c7ed6348dd71b2e297b792d9f6e55c75f6eb0bc8331212a7"},
      {"F",
       kRoot + "/l 5 120777 1 0 0 0 0.0 a/b/c - -\n" + "/e 0 100600 1 0 0 0 0.0 - - -\n" +
           "/p 0 10644 1 0 0 0 0.0 - - -\n" + "/s 0 140755 1 0 0 0 0.0 - - -\n" +
           "/b 0 60660 1 0 6 2049 0.0 - - -\n" + "/c 0 20666 1 0 0 259 0.0 - - -\n",
       16384, "404e17ba8483f2a976eb224d79ecdda644bae298f0c82dec7400588f4a430163",
       "6dcacf47818a13632d83123760a0dad56a90babf94244ba9b32c67a572a6bf31"},
      {"G", kRoot + "/f 3 100644 2 0 0 0 0.0 - abc -\n" + "/h 3 @100644 2 0 0 0 0.0 /f - -\n",
       16384, "2d6d59a3a36d37ff4ef7af2350e8cd455b74a7ce2be83d736efe0976a045ba58",
       "c0e59fcb2e1637f3976876446670f2e0085028f1c1cceacf3f37795f4a698b8c"},
      {"H", kRoot + "/d 0 40755 2 0 0 0 0.0 - - -\n" + "/d/w 0 20000 1 0 0 0 0.0 - - -\n", 16384,
       "4185c8fd90914095270dcb6dbd5f3ffa5c3d52f20d89d31075e321a4de4f1ad0",
       "d66c1569e1832a7b09c0131dc0059e305965461d154044213465d342749115c0"},
      {"I",
       kRoot + "/d 0 40755 2 0 0 0 0.0 - - - trusted.overlay.opaque=y trusted.overlay.overlay.z=1 "
               "user.overlay.opaque=y\n",
       16384, "4d009526d8f8dd0d9ad117debc2a20f19800b35af3b79aa26ccbec699c4c0f75",
       "da349899e9a52dd565a590fd3314ed0058ca96f679cc0662a55fafac168aff08"},
      {"J",
       root_with("security.selinux=root_t\\x00") +
           "/a 0 100644 1 0 0 0 0.0 - - - security.selinux=root_t\\x00 user.one=1\n"
           "/b 0 100644 1 0 0 0 0.0 - - - user.two=22 system.posix_acl_access=x user.one=1\n",
       24576, "ce9f6725ed8b8022172e74b15d8e9a84aac753f2e74c54f3fe3f40a5b5f82651",
       "1b0fb569ccfb06bc997a530e8c2c1913a8c7cb72e3a69a6efc82a93f5f991b13"},
      {"K",
       kRoot + "/-x 0 100644 1 0 0 0 0.0 - - -\n" + "/00 0 40700 2 0 0 0 0.0 - - -\n" +
           "/.a 0 100644 1 0 0 0 0.0 - - -\n" + "/\\xff\\x20 0 100644 1 65536 0 0 0.0 - - -\n",
       16384, "0e2d55abfd9d07fc8e966c0a14b33056ebfc05388f7720e0c8d4dd6087aad919",
       "bf13c4ab8814ea6f086f50297bfda9786445e8e29784d9d92aaa711e4eb97fbb"},
      {"L",
       kRoot + "/d 0 40755 2 0 0 0 0.0 - - -\n" +
           numbered("/d/file{:04d} 0 100644 1 0 0 0 0.0 - - -\n", 400),
       36864, "a520dc35312f2b98f28429b150004af5e9492c12a258725dd2a821e40a1aec00",
       "f608410e881900af782057a168e497dc3bdce69c98833872df4267391a5b543f"},
      {"M",
       kRoot + inline_file("/f", 4000, 'x') + inline_file("/g", 4500, 'y') +
           inline_file("/h", 2048, 'z'),
       24576, "0f0616d5fbadea4e2c07eaf97d9ae37ae7ced590ea65d145bdeda90e16252181",
       "03bd6e940376e2861e33bcfdddaeb1eaed9aa6c3f52cf2bcdffdb1347ff1e089"},
      {"N",
       kRoot + numbered("/l{} 1000 120777 1 0 0 0 0.0 " + std::string(1000, 't') + " - -\n", 8),
       24576, "e4cdc5895825e1d10e7a506d603f50fd16876780427e5b2ad39d414113034d4e",
       "ff754e8e4aaea474515c6cf4354f1912007e9e9d519dd5087055fce9e8b1aa5d"},
      {"O",
       kRoot + "/f 8796093022209 100644 1 0 0 0 0.0 " + kPayload + " - " + kDigest + "\n" +
           "/g 4294967296 100644 1 0 0 0 0.0 " + kPayload + " - " + kDigest + "\n",
       16384, "0d6538d49c1538e801f4ad0d22f89a0d3b3ee26b8976578cbbda364c4f064881",
       "e0b5bda26365576ab641d6fcfb44009512690d0ce3ba0de2916a45d81d655ffa"},
      {"P",
       std::string("/ 0 40755 3 0 0 0 9.9 - - -\n") + "/d 0 40755 2 0 0 0 5.0 - - -\n" +
           "/d/n 0 100644 70000 0 0 0 0.0 - - -\n",
       24576, "268120bad14390e99161eb8e389892cf6098b54646fda09db893f5257fc22aeb",
       "4262ee2381aa87dd101d71278e122e356a499e10ace95db875b3076d37517381"},
  };
}

TEST(GoldenImages, FormatZero) {
  for (const Vector& vector : vectors()) {
    const Bytes image = test::image_of(vector.dump, {.min_version = 0, .max_version = 0});
    EXPECT_EQ(image.size(), vector.size) << vector.name;
    EXPECT_EQ(fsverity::digest_of(image).hex(), vector.format_0) << vector.name;
  }
}

TEST(GoldenImages, FormatOne) {
  for (const Vector& vector : vectors()) {
    const Bytes image = test::image_of(vector.dump, {.min_version = 1, .max_version = 1});
    EXPECT_EQ(image.size(), vector.size) << vector.name;
    EXPECT_EQ(fsverity::digest_of(image).hex(), vector.format_1) << vector.name;
  }
}

TEST(GoldenImages, DefaultIsFormatZeroUnlessThereIsAWhiteout) {
  for (const Vector& vector : vectors()) {
    const std::string& expected = vector.name == "H" ? vector.format_1 : vector.format_0;
    EXPECT_EQ(fsverity::digest_of(test::image_of(vector.dump)).hex(), expected) << vector.name;
  }
}

TEST(GoldenImages, PlainHashesOfTheFiles) {
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"A", "c3dc5b0fc4afb0693a95e017fe5815e1f88f204d485df617541b5ea659aefb8b"},
      {"D", "62d32caa60bb1106444e6ac719c9aa5867341be4415dfde36a9fce610d2eee29"},
      {"J", "b2599fbf92272b6e1801967b77e888e3decc5f2c96237df31aac6994b0b13333"},
  };
  for (const auto& [name, hash] : expected) {
    for (const Vector& vector : vectors()) {
      if (vector.name != name) continue;
      const Bytes image = test::image_of(vector.dump, {.min_version = 0, .max_version = 0});
      EXPECT_EQ(crypto::sha256(image).hex(), hash) << name;
    }
  }
}

TEST(GoldenImages, SurviveBeingDumpedAndWrittenAgain) {
  for (const Vector& vector : vectors()) {
    for (const unsigned version : {0u, 1u}) {
      const WriteOptions options{.min_version = version, .max_version = version};
      const Bytes image = test::image_of(vector.dump, options);
      EXPECT_TRUE(equal(test::image_of(test::dump_of(image), options), image)) << vector.name;
    }
  }
}

TEST(GoldenImages, VersionsAboveOneCannotBeWritten) {
  auto tree = test::parse(kRoot);
  ASSERT_TRUE(tree);
  const auto refused = write_image(*tree, {.min_version = 0, .max_version = 2});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::invalid_argument);
  EXPECT_TRUE(write_image(*tree, {.min_version = 1, .max_version = 0}));  // max is raised to min
}

}  // namespace
}  // namespace intact::composefs
