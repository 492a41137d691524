#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include <intact/block/memory_device.h>
#include <intact/crypto/hash.h>
#include <intact/verity/volume.h>

#include "test_content.h"

namespace intact::verity {
namespace {

using block::MemoryDevice;

const Uuid kUuid = *Uuid::parse("00000000-0000-0000-0000-000000000001");

Layout golden_layout() {
  return {.params = {.data_blocks = 512, .salt = *from_hex("000102030405060708090a0b0c0d0e0f")}};
}

struct Volume {
  explicit Volume(unsigned roots) {
    layout.fec = Layout::Fec{.roots = roots};
    const std::uint64_t fec_size = roots == 2 ? 24576 : 294912;
    data = std::make_shared<MemoryDevice>(numbered_sectors());
    hash = std::make_shared<MemoryDevice>(Bytes(24576));
    fec = std::make_shared<MemoryDevice>(Bytes(fec_size));
    root = *format(layout, devices(), kUuid);
  }
  Devices devices() const { return {.data = data, .hash = hash, .fec = fec}; }

  Layout layout = golden_layout();
  std::shared_ptr<MemoryDevice> data, hash, fec;
  Bytes root;
};

void spoil(MemoryDevice& device, std::uint64_t offset, std::size_t length) {
  ASSERT_TRUE(device.write(offset, Bytes(length, std::byte{0x77})));
}

TEST(Volume, HasTheBytesOfVeritysetup) {
  const std::string hash = "d03a3700c7744fefe18a5516c20e5dd29c085cdecb1dfef773bfe785c374a060";
  for (const auto& [roots, parity] :
       {std::pair{2u, "5bad84714b6214cec31e314512dcafed5daad2cfab5f2815be165e1a34515de1"},
        {24u, "0cea7d79d6aa976d5775b6b7613ed86fa0d1777aff703298a512673bc61a7784"}}) {
    const Volume volume(roots);
    EXPECT_EQ(crypto::sha256(volume.hash->bytes()).hex(), hash);
    EXPECT_EQ(crypto::sha256(volume.fec->bytes()).hex(), parity);
  }
}

TEST(Volume, MayLieInOneFileWithItsTree) {
  Layout layout = golden_layout();
  layout.hash_offset = 2 << 20;
  Bytes content = numbered_sectors();
  content.resize((2 << 20) + 24576);
  const auto file = std::make_shared<MemoryDevice>(std::move(content));
  ASSERT_TRUE(format(layout, {.data = file, .hash = file}, kUuid));
  EXPECT_EQ(crypto::sha256(file->bytes()).hex(),
            "c881b27bbbdc06b827b3650f27721394db09a3f2b6a7efcd328f7cff3aaf9317");
  EXPECT_EQ(read_superblock(*file, 2 << 20)->params, layout.params);
  EXPECT_FALSE(read_superblock(*file, 0));
}

TEST(Volume, RefusesPartsThatLieOverEachOther) {
  Layout layout = golden_layout();
  Bytes content = numbered_sectors();
  content.resize(4 << 20);
  const auto file = std::make_shared<MemoryDevice>(std::move(content));
  const Devices devices{.data = file, .hash = file, .fec = file};
  const auto check = [&](std::uint64_t hash, std::uint64_t fec) {
    layout.hash_offset = hash;
    layout.fec = Layout::Fec{.roots = 2, .offset = fec};
    return bool(check_layout(layout, devices));
  };
  EXPECT_TRUE(check(2 << 20, 3 << 20));
  EXPECT_FALSE(check((2 << 20) - 512, 3 << 20));   // tree over data
  EXPECT_FALSE(check(0, 3 << 20));                 // tree at the start of the data
  EXPECT_FALSE(check(2 << 20, (2 << 20) + 4096));  // parity over tree
  EXPECT_FALSE(check(2 << 20, 4096));              // parity over data
  EXPECT_FALSE(check(2 << 20, (4 << 20) - 4096));  // parity behind the end
  EXPECT_FALSE(check((4 << 20) - 4096, 3 << 20));  // tree behind the end
  EXPECT_FALSE(check(UINT64_MAX - 511, 3 << 20));
  EXPECT_FALSE(check((2 << 20) + 1, 3 << 20));
}

TEST(Volume, TellsADeviceThatWasCutFromNumbersThatAreTooLarge) {
  Layout layout = golden_layout();
  layout.fec.reset();
  const auto file = std::make_shared<MemoryDevice>(Bytes(4 << 20));
  const Devices devices{.data = std::make_shared<MemoryDevice>(Bytes(4096)), .hash = file};
  const auto said = [&](ErrorKind kind) {
    const auto checked = check_layout(layout, devices, kind);
    return checked ? "" : checked.error().message();
  };
  EXPECT_TRUE(
      said(ErrorKind::malformed).ends_with("; the device was cut short, or is not the right one"));
  EXPECT_TRUE(
      said(ErrorKind::invalid_argument).ends_with("; state fewer data blocks or a smaller offset"));
}

TEST(Volume, IsCorrected) {
  const Volume volume(2);
  const Bytes data = volume.data->bytes();
  const Bytes hash = volume.hash->bytes();
  const auto nothing = repair(volume.layout, volume.devices(), volume.root);
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(nothing->repaired.empty() && nothing->lost.empty());

  spoil(*volume.data, 100 * 4096, 3 * 4096);
  spoil(*volume.hash, 4096, 4096);           // the top block
  spoil(*volume.hash, 3 * 4096 + 50, 2000);  // and one of the lowest level
  const auto report = repair(volume.layout, volume.devices(), volume.root);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(report->lost.empty());
  // The hash area begins after the superblock.
  const auto bad = [](const char* area, DamagedRange range) {
    return Damage{
        .object = area, .range = range, .reason = "does not match its hash", .correctable = true};
  };
  const std::vector<Damage> expected = {
      bad("hash", {.first = 0, .offset = 4096, .bytes = 4096}),
      bad("hash", {.first = 2, .offset = 3 * 4096, .bytes = 4096}),
      bad("data", {.first = 100, .count = 3, .offset = 100 * 4096, .bytes = 3 * 4096})};
  EXPECT_EQ(place_of(expected[1]), "hash block 2 (bytes 12288 to 16383)");
  EXPECT_EQ(report->repaired, expected);
  EXPECT_EQ(volume.data->bytes(), data);
  EXPECT_EQ(volume.hash->bytes(), hash);
}

TEST(Volume, KeepsWhatIsBeyondRepairAsItIs) {
  const Volume volume(2);
  const std::uint64_t row =
      fec_geometry(volume.layout, **fec_coverage(volume.layout, volume.devices()))->row_size();
  for (std::uint64_t i = 0; i < 3; ++i) spoil(*volume.data, i * row, 4096);
  spoil(*volume.data, 5 * row + 4096, 4096);
  const auto report = repair(volume.layout, volume.devices(), volume.root);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->repaired.size(), 1u);
  EXPECT_EQ(report->lost.size(), 3u);
  Bytes block(4096);
  ASSERT_TRUE(volume.data->read(0, block));
  EXPECT_EQ(block, Bytes(4096, std::byte{0x77}));
}

TEST(Superblock, EveryFieldIsChecked) {
  const Superblock good{.params = golden_layout().params, .uuid = kUuid};
  const RawSuperblock raw = encode(good);
  ASSERT_EQ(*parse_superblock(raw), good);
  const auto kind = [&](auto change) {
    RawSuperblock damaged = raw;
    change(damaged);
    return parse_superblock(damaged).error().kind();
  };
  EXPECT_EQ(kind([](RawSuperblock& r) { r.signature[0] = 'x'; }), ErrorKind::malformed);
  EXPECT_EQ(kind([](RawSuperblock& r) { r.version = 2; }), ErrorKind::unsupported);
  EXPECT_EQ(kind([](RawSuperblock& r) { r.hash_type = 2; }), ErrorKind::unsupported);
  EXPECT_EQ(kind([](RawSuperblock& r) { r.algorithm.fill('a'); }), ErrorKind::malformed);
  EXPECT_EQ(kind([](RawSuperblock& r) { r.algorithm = {"crc32c"}; }), ErrorKind::unsupported);
  EXPECT_EQ(kind([](RawSuperblock& r) { r.data_block_size = 4095; }), ErrorKind::malformed);
  EXPECT_EQ(kind([](RawSuperblock& r) { r.data_block_size = 256; }), ErrorKind::malformed);
  EXPECT_EQ(kind([](RawSuperblock& r) { r.hash_block_size = 1 << 20; }), ErrorKind::malformed);
  EXPECT_EQ(kind([](RawSuperblock& r) { r.data_blocks = 0; }), ErrorKind::malformed);
  EXPECT_EQ(kind([](RawSuperblock& r) { r.data_blocks = UINT64_MAX; }), ErrorKind::malformed);
  EXPECT_EQ(kind([](RawSuperblock& r) { r.salt_size = 257; }), ErrorKind::malformed);
}

TEST(Uuid, ReadsWhatItWrites) {
  const Uuid uuid = Uuid::random();
  EXPECT_EQ(*Uuid::parse(uuid.to_string()), uuid);
  EXPECT_NE(uuid, Uuid::random());
  EXPECT_FALSE(Uuid::parse(""));
  EXPECT_FALSE(Uuid::parse("00000000-0000-0000-0000-00000000000"));
  EXPECT_FALSE(Uuid::parse("00000000-0000-0000-0000-0000000000011"));
  EXPECT_FALSE(Uuid::parse("000000000000-0000-0000-000000000001-"));
}

}  // namespace
}  // namespace intact::verity
