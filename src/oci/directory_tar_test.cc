#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/oci/tree_tar.h>

namespace intact::oci {
namespace {

class ChangingDirectory : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(make_directories(dir_.path("tree/a")));
    ASSERT_TRUE(make_directories(dir_.path("secret")));
    put("tree/a/1-large", Bytes(4 << 20));
    put("tree/a/2", as_bytes("mine"));
    put("secret/2", as_bytes("stolen"));
  }
  void put(const char* name, ByteSpan content) {
    ASSERT_TRUE(write_file_durably(dir_.path(name), content, 0644));
  }
  /// The tar; `meanwhile` is called once, when the first bytes of it are written.
  Result<std::string> tar(const std::function<void()>& meanwhile) {
    std::string text;
    TRY(write_directory_tar(dir_.path("tree"), {}, [&](ByteSpan bytes) -> Result<void> {
      if (text.empty()) meanwhile();
      text += as_text(bytes);
      return {};
    }));
    return text;
  }
  TempDir dir_ = *TempDir::create();
};

TEST_F(ChangingDirectory, FollowsNoLinkThatTookThePlaceOfADirectory) {
  const auto text = tar([&] {
    ASSERT_EQ(::rename(dir_.path("tree/a").c_str(), dir_.path("tree/moved").c_str()), 0);
    ASSERT_EQ(::symlink(dir_.path("secret").c_str(), dir_.path("tree/a").c_str()), 0);
  });
  ASSERT_TRUE(text) << text.error().message();
  EXPECT_NE(text->find("mine"), std::string::npos);
  EXPECT_EQ(text->find("stolen"), std::string::npos);
}

TEST_F(ChangingDirectory, IsTheSameWithoutTheSwap) {
  const auto text = tar([] {});
  ASSERT_TRUE(text) << text.error().message();
  EXPECT_NE(text->find("mine"), std::string::npos);
}

}  // namespace
}  // namespace intact::oci
