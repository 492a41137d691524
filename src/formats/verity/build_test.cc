#include "build.h"

#include <string>

#include <gtest/gtest.h>

#include <intact/block/memory_device.h>
#include <intact/crypto/hash.h>
#include <intact/verity/superblock.h>

#include "test_content.h"

namespace intact::verity {
namespace {

using block::MemoryDevice;

Bytes hex(std::string_view text) {
  return *from_hex(text);
}

const Bytes kSalt = hex("000102030405060708090a0b0c0d0e0f");

/// What veritysetup 2.6.1 made of numbered_sectors().
struct Golden {
  HashType type;
  std::string hash;
  std::uint32_t data_block_size;
  std::uint32_t hash_block_size;
  Bytes salt;
  bool superblock;
  std::string root;
  std::string file;  // sha256 of the hash device
};

const Golden kGolden[] = {
    {HashType::normal, "sha256", 4096, 4096, kSalt, true,
     "3ed51a5f862eb04f0ca6a392bc4981fe32f11579245810ddf5acac44b49cd2ab",
     "d03a3700c7744fefe18a5516c20e5dd29c085cdecb1dfef773bfe785c374a060"},
    {HashType::chrome_os, "sha256", 4096, 4096, kSalt, true,
     "949a75538851d1aac434a137bffd12e6a4ef0a6d88369e973d511534d3fd8198",
     "6acbdec96b0aa4533a0b3945456653720ec8491a5ac810b52b52fb7c09c064b2"},
    {HashType::normal, "sha1", 4096, 4096, kSalt, true, "205c9fa8be6ef58040bc35fe828ef56511864570",
     "5dfb870b5ea8e07c8e061e7340bb68cdc230ec2262d4c39f5b384265d8808eb2"},
    {HashType::chrome_os, "sha1", 4096, 4096, kSalt, true,
     "e668e6e35b851fbbce4042d2c1d92d47d87af029",
     "1625d69d75f90662142d47fe3be9cf76ae764c5a98f93daecdfd3371fcb71a16"},
    {HashType::normal,
     "sha512",
     1024,
     512,
     {},
     false,
     "fa0e5ae85b90c9c9e919ab8dbfab10be0e4bfe17c12cbd84b5b41a782c10755cac08b2dba1abe465eb3945f33f69"
     "6e612b0992d1fdccbd4903d939da9f751d1b",
     "125852642add6dafa55fe183ac9b05dbba6592b4522f70110536a9977a50b161"},
};

TEST(BuildHashTree, MakesTheBytesOfVeritysetup) {
  const MemoryDevice data(numbered_sectors());
  for (const Golden& golden : kGolden) {
    const Params params{.hash_type = golden.type,
                        .hash = golden.hash,
                        .data_block_size = golden.data_block_size,
                        .hash_block_size = golden.hash_block_size,
                        .data_blocks = data.size() / golden.data_block_size,
                        .salt = golden.salt};
    const Geometry geometry = *Geometry::create(params);
    const std::uint64_t start = golden.superblock ? golden.hash_block_size : 0;
    MemoryDevice hash{Bytes(start + geometry.hash_size())};
    if (golden.superblock) {
      const RawSuperblock raw =
          encode({.params = params, .uuid = *Uuid::parse("00000000-0000-0000-0000-000000000001")});
      ASSERT_TRUE(hash.write(0, bytes_of(raw)));
      EXPECT_EQ(parse_superblock(raw)->params, params);
    }
    const auto root = build_hash_tree(params, data, hash, start);
    ASSERT_TRUE(root) << root.error().message();
    EXPECT_EQ(to_hex(*root), golden.root) << golden.hash;
    EXPECT_EQ(crypto::sha256(hash.bytes()).hex(), golden.file) << golden.hash;
  }
}

struct ZeroRoot {
  std::uint32_t block_size;
  std::string hash;
  HashType type;
  std::string salt;
  std::string root;
};

const std::string kLongSalt = "e48da609055204e89ae53b655ca2216dd983cf3cb829f34f63a297d106d53e2d";
const ZeroRoot kZeroRoots[] = {
    {512, "sha256", HashType::normal, kLongSalt,
     "9de18652fe74edfb9b805aaed72ae2aa48f94333f1ba5c452ac33b1c39325174"},
    {1024, "sha256", HashType::normal, kLongSalt,
     "54d92778750495d1f80832b486ebd007617d746271511bbf0e295e143da2b3df"},
    {4096, "sha256", HashType::normal, kLongSalt,
     "e522df0f97da4febb882ac40f30b37dc0b444bf6df418929463fa25280f09d5c"},
    {4096, "sha256", HashType::chrome_os, kLongSalt,
     "cbbf4ebd004ef65e29b935bb635a39cf754d677f3fa10b0126da725bbdf10f7d"},
    {4096, "sha256", HashType::normal, "",
     "ef29c902d87350f1da4bfa536e16cebc162a909bf89abe448b81ec500d4fb9bf"},
    {1024, "sha1", HashType::normal, kLongSalt, "d0e9163ca8844aaa2e88fe5265a8c5d9ee494a99"},
    {1024, "sha1", HashType::normal, "dadada", "73509e8e868be6b8ac939817a98a3d35121413b2"},
};

TEST(BuildHashTree, HasTheRootsOfZerosThatVeritysetupTestsFor) {
  const block::ZeroDevice data(8 << 20);
  for (const ZeroRoot& golden : kZeroRoots) {
    const Params params{.hash_type = golden.type,
                        .hash = golden.hash,
                        .data_block_size = golden.block_size,
                        .hash_block_size = golden.block_size,
                        .data_blocks = data.size() / golden.block_size,
                        .salt = hex(golden.salt)};
    MemoryDevice hash{Bytes(Geometry::create(params)->hash_size())};
    EXPECT_EQ(to_hex(*build_hash_tree(params, data, hash, 0)), golden.root);
  }
}

TEST(BuildHashTree, TakesTheDigestOfASingleBlockAsRoot) {
  const block::ZeroDevice data(4096);
  MemoryDevice hash{Bytes()};
  EXPECT_EQ(to_hex(*build_hash_tree({.data_blocks = 1}, data, hash, 0)),
            "ad7facb2586fc6e966c004d7d1d16b024f5805ff7cb47c7a85dabd8b48892ca7");
}

TEST(BuildHashTree, RefusesDevicesThatAreTooSmall) {
  const block::ZeroDevice data(8192);
  MemoryDevice enough{Bytes(4096)};
  MemoryDevice small{Bytes(4095)};
  EXPECT_TRUE(build_hash_tree({.data_blocks = 2}, data, enough, 0));
  EXPECT_EQ(build_hash_tree({.data_blocks = 2}, data, small, 0).error().kind(),
            ErrorKind::malformed);
  EXPECT_EQ(build_hash_tree({.data_blocks = 3}, data, enough, 0).error().kind(),
            ErrorKind::malformed);
}

}  // namespace
}  // namespace intact::verity
