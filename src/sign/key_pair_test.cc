#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <intact/base/file.h>
#include <intact/sign/key.h>

#include "testing.h"

namespace intact::sign {
namespace {

class KeyPairTest : public testing::Test {
 protected:
  TempDir dir_ = *TempDir::create();
  PrivateKey key_ = generate_key();
  crypto::Secret password_ = crypto::Secret::copy_of(as_bytes("secret"));

  Result<void> write(const std::string& name) {
    return write_key_pair(dir_.path(name), key_, password_);
  }
  std::size_t files() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir_.path()))
      ++count;
    return count;
  }
  mode_t mode(const std::string& name) const {
    struct stat st{};
    EXPECT_EQ(::stat(dir_.path(name).c_str(), &st), 0);
    return st.st_mode & 07777;
  }
};

TEST_F(KeyPairTest, WritesBothHalvesAndNothingElse) {
  const mode_t umask_before = ::umask(0);
  const auto written = write("mine");
  ::umask(umask_before);
  ASSERT_TRUE(written) << why(written);
  EXPECT_EQ(files(), 2U);
  EXPECT_EQ(mode("mine.key"), 0600U);
  EXPECT_EQ(mode("mine.pub"), 0644U);
  const auto key = PrivateKey::load(dir_.path("mine.key"), password("secret"));
  ASSERT_TRUE(key) << why(key);
  const auto pub = PublicKey::load(dir_.path("mine.pub"));
  ASSERT_TRUE(pub) << why(pub);
  EXPECT_EQ(key->public_key().fingerprint(), pub->fingerprint());
}

TEST_F(KeyPairTest, OverwritesNeitherHalf) {
  for (const std::string half : {"mine.key", "mine.pub"}) {
    std::ofstream(dir_.path(half)) << "precious";
    EXPECT_EQ(kind_of(check_key_pair_is_new(dir_.path("mine"))), ErrorKind::exists);
    EXPECT_EQ(kind_of(write("mine")), ErrorKind::exists);
    EXPECT_EQ(files(), 1U) << half;
    EXPECT_EQ(as_text(*read_file(dir_.path(half), 100)), "precious");
    std::filesystem::remove(dir_.path(half));
  }
  EXPECT_TRUE(check_key_pair_is_new(dir_.path("mine")));
  EXPECT_TRUE(write("mine"));
}

// A dangling link is a name that is taken, and what it points to is not written either.
TEST_F(KeyPairTest, DoesNotFollowALink) {
  std::filesystem::create_symlink(dir_.path("target"), dir_.path("mine.pub"));
  EXPECT_EQ(kind_of(write("mine")), ErrorKind::exists);
  EXPECT_EQ(files(), 1U);
}

TEST_F(KeyPairTest, SaysWhenTheDirectoryIsMissing) {
  EXPECT_EQ(kind_of(write("nowhere/mine")), ErrorKind::not_found);
  EXPECT_EQ(files(), 0U);
}

}  // namespace
}  // namespace intact::sign
