#include <filesystem>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/block/file_device.h>
#include <intact/verity/manage.h>

#include "test_device.h"

namespace intact::verity {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

template <typename T>
void expect_error(const Result<T>& result, ErrorKind kind, const std::string& said) {
  ASSERT_FALSE(result) << said;
  EXPECT_EQ(result.error().kind(), kind) << result.error().message();
  EXPECT_THAT(result.error().message(), HasSubstr(said));
}

// --- what a user says ---------------------------------------------------------------------------

TEST(StatedParams, AreDefaultsUnlessTheyAreStated) {
  const Bytes salt(4, std::byte{7});
  EXPECT_EQ(StatedParams{}.params(salt).value(), Params{.salt = salt});
  const StatedParams stated{.hash = "sha512",
                            .hash_type = 0,
                            .data_block_size = 512,
                            .hash_block_size = 1024,
                            .data_blocks = 9,
                            .salt = "0aff"};
  EXPECT_EQ(stated.params(salt).value(), (Params{.hash_type = HashType::chrome_os,
                                                 .hash = "sha512",
                                                 .data_block_size = 512,
                                                 .hash_block_size = 1024,
                                                 .data_blocks = 9,
                                                 .salt = *from_hex("0aff")}));
  EXPECT_THAT(StatedParams{.salt = "-"}.params(salt)->salt, IsEmpty());
  EXPECT_THAT(StatedParams{.salt = ""}.params(salt)->salt, IsEmpty());
  expect_error(StatedParams{.salt = "xyz"}.params(salt), ErrorKind::invalid_argument,
               "--salt: 'xyz' is not hexadecimal");
  EXPECT_FALSE(StatedParams{.data_block_size = 1000}.params(salt));
}

TEST(StatedParams, CountMoreThanTheSuperblock) {
  const Params found{.data_blocks = 9, .salt = *from_hex("0aff")};
  EXPECT_TRUE(StatedParams{}.check(found, "HASH"));
  EXPECT_TRUE((StatedParams{.hash = "SHA256",
                            .hash_type = 1,
                            .data_block_size = 4096,
                            .hash_block_size = 4096,
                            .data_blocks = 9,
                            .salt = "0AFF"})
                  .check(found, "HASH"));
  EXPECT_TRUE(StatedParams{.data_blocks = 0}.check(found, "HASH")) << "not stated";
  const auto refused = [&](const StatedParams& stated, const char* said) {
    expect_error(stated.check(found, "HASH"), ErrorKind::tampered,
                 std::string("HASH: the superblock says ") + said);
  };
  refused({.hash = "sha1"}, "sha256, not sha1 as --hash does");
  refused({.hash_type = 0}, "1, not 0 as --format does");
  refused({.data_block_size = 512}, "4096, not 512 as --data-block-size does");
  refused({.hash_block_size = 512}, "4096, not 512 as --hash-block-size does");
  refused({.data_blocks = 8}, "9, not 8 as --data-blocks does");
  refused({.salt = "-"}, "0aff, not - as --salt does");
  expect_error(StatedParams{.hash = "sha9"}.check(found, "HASH"), ErrorKind::unsupported, "sha9");
}

TEST(RootHash, IsHexadecimalAndNotEmpty) {
  EXPECT_EQ(parse_root_hash("00Ff"), *from_hex("00ff"));
  for (const char* const text : {"", "0", "0g", " 00", "00\n", "0x00"})
    EXPECT_EQ(parse_root_hash(text), std::nullopt) << text;
}

TEST(BlocksToProtect, AreAllOfTheDataOrWhatIsBeforeTheTree) {
  const MemorySource data(Bytes(40960));
  EXPECT_EQ(blocks_to_protect(data, 4096, std::nullopt).value(), 10u);
  EXPECT_EQ(blocks_to_protect(data, 4096, 20000).value(), 4u);
  EXPECT_EQ(blocks_to_protect(data, 4096, 99999999).value(), 10u);
  expect_error(blocks_to_protect(data, 4096, 0), ErrorKind::invalid_argument,
               "DATA and HASH are the same file; pass --hash-offset 40960");
  expect_error(blocks_to_protect(data, 16384, std::nullopt), ErrorKind::invalid_argument,
               "its 40960 bytes are not a multiple of the data block size 16384; lengthen it "
               "(`truncate -s %16384 FILE`), or pass --data-blocks 2 to leave the last 8192 bytes");
}

TEST(BlocksToProtect, SaysThatDataAreCompressed) {
  const auto said = [](std::string_view head) {
    Bytes bytes(1000);
    std::ranges::copy(as_bytes(head), bytes.begin());
    return blocks_to_protect(MemorySource(bytes), 4096, std::nullopt).error().message();
  };
  for (const std::string_view magic : {"\x1f\x8b\x08", "\x28\xb5\x2f\xfd",
                                       "\xfd"
                                       "7zXZ"})
    EXPECT_THAT(said(magic), HasSubstr("and it is compressed"));
  EXPECT_THAT(said("plain"), testing::Not(HasSubstr("compressed")));
  EXPECT_FALSE(blocks_to_protect(MemorySource(Bytes(3)), 4096, std::nullopt));
}

TEST(DescribeLayout, HasALineForEachPart) {
  Layout layout{.params = {.data_blocks = 200}, .hash_offset = 819200};
  EXPECT_THAT(describe_layout(layout),
              ElementsAre("200 data blocks of 4096 bytes.", "Superblock at byte 819200.",
                          "3 hash blocks of 4096 bytes, in 2 levels, from byte 823296."));
  layout.fec = Layout::Fec{.roots = 3, .offset = 1 << 20};
  layout.superblock = false;
  EXPECT_THAT(describe_layout(layout),
              ElementsAre("200 data blocks of 4096 bytes.",
                          "3 hash blocks of 4096 bytes, in 2 levels, from byte 819200.",
                          "Parity from byte 1048576, 3 bytes for each codeword."));
  layout.params.data_blocks = 0;
  EXPECT_THAT(describe_layout(layout), IsEmpty());
}

// --- files --------------------------------------------------------------------------------------

TEST(OpenFiles, OpensAFileWithTwoNamesOnce) {
  const auto dir = TempDir::create();
  ASSERT_TRUE(dir);
  const std::string data = dir->path("data"), link = dir->path("link"), copy = dir->path("copy");
  ASSERT_TRUE(write_file_durably(data, Bytes(4096), 0600));
  ASSERT_TRUE(write_file_durably(copy, Bytes(4096), 0600));
  std::filesystem::create_hard_link(data, link);

  const auto same = open_files({.data = data, .hash = link}, block::Access::read_write);
  ASSERT_TRUE(same) << same.error().message();
  EXPECT_EQ(same->data, same->hash);
  EXPECT_EQ(same->fec, nullptr);

  const std::shared_ptr<block::FileDevice> opened =
      block::FileDevice::open(copy, block::Access::read_write).value();
  const auto copied =
      open_files({.data = data, .hash = link, .fec = data}, block::Access::read_write, opened);
  ASSERT_TRUE(copied) << copied.error().message();
  EXPECT_EQ(copied->data, opened);
  EXPECT_EQ(copied->hash, opened);
  EXPECT_EQ(copied->fec, opened);
  expect_error(open_files({.data = dir->path("none"), .hash = data}, block::Access::read_only),
               ErrorKind::not_found, "none");
}

// --- new volumes --------------------------------------------------------------------------------

class CreateVolume : public testing::Test {
 protected:
  void SetUp() override {
    Bytes content(20 * 4096);
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::byte>(i / 511);
    ASSERT_TRUE(write_file_durably(path("data"), content, 0644));
  }
  std::string path(const char* name) const { return dir_.path(name); }
  UniqueFd data() const { return open_file(path("data"), O_RDONLY).value(); }
  VolumeFiles files() const { return {.data = path("data"), .hash = path("hash")}; }
  static Layout layout(bool fec = false) {
    Layout layout{.params = {.data_blocks = 20}};
    if (fec) layout.fec = Layout::Fec{};
    return layout;
  }
  std::uintmax_t size(const char* name) const { return std::filesystem::file_size(path(name)); }

  TempDir dir_ = TempDir::create().value();
};

TEST_F(CreateVolume, MakesTheFilesThatItIsOpenedWith) {
  VolumeFiles made = files();
  made.fec = path("fec");
  made.root_hash = path("root");
  made.signature = path("signature");
  Bytes signed_root;
  const auto volume = create_volume(made, data(), layout(true), Uuid::random(),
                                    [&](ByteSpan root) -> Result<Bytes> {
                                      signed_root.assign(root.begin(), root.end());
                                      return Bytes(3, std::byte{'s'});
                                    });
  ASSERT_TRUE(volume) << volume.error().message();
  EXPECT_EQ(signed_root, volume->root);
  EXPECT_EQ(as_text(read_file(path("root"), 1000).value()), to_hex(volume->root));
  EXPECT_EQ(as_text(read_file(path("signature"), 1000).value()), "sss");
  const auto open_device = [&](const char* name) {
    return std::shared_ptr<block::Device>(
        block::FileDevice::create(open_file(path(name), O_RDONLY).value(), block::Access::read_only)
            .value());
  };
  const Devices devices{
      .data = open_device("data"), .hash = open_device("hash"), .fec = open_device("fec")};
  EXPECT_EQ(read_superblock(*devices.hash, 0)->params, layout().params);
  const auto target = open(layout(true), devices, volume->root);
  ASSERT_TRUE(target) << target.error().message();
  EXPECT_THAT((*target)->scan().value(), IsEmpty());
}

TEST_F(CreateVolume, MayBeAllInOneFile) {
  VolumeFiles made = files();
  made.hash = made.fec = made.data;
  Layout one = layout(true);
  one.hash_offset = 20 * 4096;
  one.fec->offset = 40 * 4096;
  const auto volume = create_volume(made, data(), one, Uuid::random());
  ASSERT_TRUE(volume) << volume.error().message();
  EXPECT_EQ(volume->devices.data, volume->devices.hash);
  EXPECT_EQ(volume->devices.data, volume->devices.fec);
  EXPECT_THAT(open(one, volume->devices, volume->root).value()->scan().value(), IsEmpty());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_.path()), {}), 1);
}

TEST_F(CreateVolume, LeavesNothingAfterAnError) {
  ASSERT_TRUE(write_file_durably(path("old"), Bytes(4096), 0644));
  VolumeFiles made = files();
  made.hash = path("old");
  made.fec = path("fec");
  made.root_hash = path("root");
  made.signature = path("signature");
  const auto refused = create_volume(
      made, data(), layout(true), Uuid::random(),
      [](ByteSpan) -> Result<Bytes> { return Error(ErrorKind::io, "the key is gone"); });
  expect_error(refused, ErrorKind::io, "the key is gone");
  EXPECT_EQ(size("old"), 4096u);
  EXPECT_EQ(size("data"), 20u * 4096);
  for (const char* const name : {"fec", "root", "signature"})
    EXPECT_FALSE(std::filesystem::exists(path(name))) << name;
}

TEST_F(CreateVolume, RefusesFilesThatExcludeEachOther) {
  const auto refused = [&](const VolumeFiles& made, const char* said) {
    expect_error(create_volume(made, data(), layout(), Uuid::random()), ErrorKind::invalid_argument,
                 said);
    EXPECT_FALSE(std::filesystem::exists(path("hash")));
  };
  VolumeFiles made = files();
  made.root_hash = path("./data");
  refused(made, "is part of the volume; name another file");
  made = files();
  made.signature = path("hash");
  refused(made, "--root-hash-signature: ");
  made = files();
  made.root_hash = path("root");
  made.signature = path("./root");
  refused(made, "--root-hash-signature: also the file of --root-hash-file");
  made = files();
  made.root_hash = "-";
  refused(made, "--root-hash-file -: stdout is for the report");
  EXPECT_TRUE(create_volume(files(), data(), layout(), Uuid::random()));
}

/// The name leads elsewhere by now: the file that was opened counts.
TEST_F(CreateVolume, ReadsTheFileThatIsOpen) {
  UniqueFd opened = data();
  std::filesystem::rename(path("data"), path("moved"));
  ASSERT_TRUE(write_file_durably(path("data"), Bytes(20 * 4096), 0644));
  const auto volume = create_volume(files(), std::move(opened), layout(), Uuid::random());
  ASSERT_TRUE(volume) << volume.error().message();
  VolumeFiles others = files();
  others.hash = path("hash2");
  EXPECT_NE(create_volume(others, data(), layout(), Uuid::random())->root, volume->root);
}

}  // namespace
}  // namespace intact::verity
