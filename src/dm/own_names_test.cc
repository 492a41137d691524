#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/keyctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/dm/names.h>

namespace intact::dm {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// Lines as users write them.
class OwnNames : public ::testing::Test {
 protected:
  /// The argument as it is in the line afterwards, or the error.
  Result<std::string> replaced(const std::string& word) {
    Line line{.target = "linear", .arguments = {word}};
    TRY(use_own_names(line, names_, [this](const std::string& path) -> Result<File> {
      opened_.push_back(path);
      return File(TRY(block::FileDevice::open(path, block::Access::read_only)));
    }));
    return line.arguments[0];
  }
  std::string path(const char* name) const {
    EXPECT_TRUE(write_file_durably(dir_.path(name), Bytes(4096), 0600));
    return dir_.path(name);
  }
  /// Whether there are keyrings for a key of this process.
  static bool add_key(const char* type, const char* name, const std::string& payload) {
    return ::syscall(SYS_add_key, type, name, payload.data(), payload.size(),
                     KEY_SPEC_PROCESS_KEYRING) >= 0;
  }

  TempDir dir_ = TempDir::create().value();
  Names names_;
  std::vector<std::string> opened_;
};

TEST_F(OwnNames, PathsAreOpened) {
  const std::string file = path("disk");
  EXPECT_THAT(replaced(file).value(), StartsWith("fd:"));
  EXPECT_THAT(replaced("meta_device:" + file).value(), StartsWith("meta_device:fd:"));
  EXPECT_THAT(opened_, ::testing::ElementsAre(file, file));
  for (const char* word : {"4096", "crc32c", "block_size:4096", "hmac(sha256):/", ":", "8:", ":8",
                           "8:3:1", "4096:1", "-"})
    EXPECT_EQ(replaced(word).value(), word);
  EXPECT_EQ(replaced("/nowhere/at/all").error().kind(), ErrorKind::not_found);
}

TEST_F(OwnNames, ADeviceIsFoundByItsNumber) {
  const auto missing = replaced("4095:1048575");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message(), "4095:1048575: no such block device");
  EXPECT_EQ(missing.error().kind(), ErrorKind::not_found);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/dev/block", error)) {
    const std::string number = entry.path().filename().string();
    const auto word = replaced(number);
    if (!word) continue;  // may not be opened
    struct stat st;
    ASSERT_EQ(::fstat(names_.file(*word).value()->fd(), &st), 0);
    EXPECT_TRUE(S_ISBLK(st.st_mode));
    EXPECT_EQ(fmt::format("{}:{}", major(st.st_rdev), minor(st.st_rdev)), number);
    EXPECT_THAT(replaced("meta_device:" + number).value(), StartsWith("meta_device:fd:"));
    return;
  }
  GTEST_SKIP() << "no block device can be opened here";
}

TEST_F(OwnNames, TheNumberCountsAndNotWhatAPathLeadsTo) {
  std::error_code error;
  const std::filesystem::directory_iterator devices("/sys/dev/block", error);
  if (devices == std::filesystem::directory_iterator()) GTEST_SKIP() << "no block devices here";
  const std::string number = devices->path().filename().string();
  Line line{.target = "linear", .arguments = {number, "0"}};
  const std::string other = path("other");
  const auto used = use_own_names(line, names_, [&other](const std::string&) -> Result<File> {
    return File(TRY(block::FileDevice::open(other, block::Access::read_only)));
  });
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().kind(), ErrorKind::invalid_argument);
  EXPECT_THAT(used.error().message(), HasSubstr("is another device"));
}

TEST_F(OwnNames, OneDescriptorServesSeveralLines) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd from(ends[0]);
  ASSERT_TRUE(write_all(ends[1], as_bytes("0123456789abcdef")));
  ::close(ends[1]);
  const std::string reference = fmt::format(":16:fd:{}", from.get());
  for (const char* before : {"internal_hash:hmac(sha256):", "journal_mac:hmac(sha256):", ""}) {
    const auto word = replaced(before + reference);
    ASSERT_TRUE(word) << word.error().message();
    const Key key = names_.key(word->substr(word->rfind(":16:"))).value();
    EXPECT_EQ(key->expose_text(), "0123456789abcdef");
  }
  const auto longer = replaced(fmt::format(":32:fd:{}", from.get()));
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().message(),
            fmt::format("key from descriptor {}: has 16 bytes, not 32", from.get()));
}

TEST_F(OwnNames, KeysAreReadFromKeyrings) {
  if (!add_key("user", "intact:test key", "0123456789abcdef"))
    GTEST_SKIP() << "no keyrings here: " << std::strerror(errno);
  const std::string word = replaced("internal_hash:hmac(sha256)::16:user:intact:test key").value();
  ASSERT_THAT(word, StartsWith("internal_hash:hmac(sha256)::16:fd:"));
  const Key key = names_.key(word.substr(word.rfind(":16:"))).value();
  EXPECT_EQ(key->expose_text(), "0123456789abcdef");
  EXPECT_THAT(replaced(":16:user:intact:test key").value(), StartsWith(":16:fd:"));

  const auto longer = replaced("x::32:user:intact:test key");
  EXPECT_EQ(longer.error().kind(), ErrorKind::bad_secret);
  EXPECT_EQ(longer.error().message(), "key 'intact:test key' of type user: has 16 bytes, not 32");
  EXPECT_EQ(replaced("x::15:user:intact:test key").error().kind(), ErrorKind::bad_secret);
  const auto missing = replaced("x::16:user:intact:no such key");
  EXPECT_EQ(missing.error().kind(), ErrorKind::not_found);
  EXPECT_THAT(missing.error().message(), HasSubstr("not in the keyrings of this session"));
}

TEST_F(OwnNames, WhatOnlyTheKernelReadsIsRefused) {
  for (const char* type : {"logon", "encrypted", "trusted"}) {
    const auto refused = replaced(fmt::format("x::16:{}:intact:key", type));
    ASSERT_FALSE(refused) << type;
    EXPECT_EQ(refused.error().kind(), ErrorKind::unsupported);
    EXPECT_EQ(refused.error().message(),
              fmt::format("key 'intact:key' of type {}: only the kernel can read it; add it as "
                          "type user",
                          type));
  }
}

TEST_F(OwnNames, SecretsOfLibvirtAreRefused) {
  const auto refused = replaced("x::16:secret:550e8400-e29b-41d4-a716-446655440000");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::unsupported);
  EXPECT_THAT(refused.error().message(),
              HasSubstr("of type secret: libvirt has its value (`virsh secret-get-value`)"));
}

TEST_F(OwnNames, KeysInWrongPlacesAreNotShown) {
  const std::string key(64, 'd');
  for (const char* before : {":32:fd:", ":32:user:", ":32:logon:", ":32:secret:"}) {
    const auto wrong = replaced(before + key);
    ASSERT_FALSE(wrong) << before;
    EXPECT_THAT(wrong.error().message(), Not(HasSubstr("dddddddd")));
  }
}

}  // namespace
}  // namespace intact::dm
