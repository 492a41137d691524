#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <intact/base/file.h>
#include <intact/base/grown_files.h>

namespace intact {
namespace {

using testing::HasSubstr;

class GrownFilesTest : public testing::Test {
 protected:
  void put(const std::string& name, std::string_view text) {
    ASSERT_TRUE(write_file_durably(dir_.path(name), as_bytes(text), 0644));
  }
  std::string content(const std::string& name) {
    return std::string(as_text(read_file(dir_.path(name), 100).value()));
  }
  bool exists(const std::string& name) { return std::filesystem::exists(dir_.path(name)); }

  TempDir dir_ = TempDir::create().value();
};

TEST_F(GrownFilesTest, NamesNewFilesWhenTheyAreComplete) {
  GrownFiles files;
  const int created = files.create(dir_.path("a")).value();
  const int grown = files.grow(dir_.path("b"), 8).value();
  ASSERT_TRUE(pwrite_all(created, 0, as_bytes("copy")));
  EXPECT_EQ(file_size(grown).value(), 8u);
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
  ASSERT_TRUE(files.publish());
  files.keep();
  EXPECT_EQ(content("a"), "copy");
  struct stat st;
  ASSERT_EQ(::stat(dir_.path("b").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  EXPECT_EQ(st.st_size, 8);
}

TEST_F(GrownFilesTest, WritesNothingThroughALinkOrIntoAnotherFile) {
  put("precious", "theirs");
  GrownFiles files;
  EXPECT_EQ(files.create(dir_.path("precious")).error().kind(), ErrorKind::exists);
  ASSERT_EQ(::symlink("victim", dir_.path("link").c_str()), 0);
  EXPECT_EQ(files.create(dir_.path("link")).error().kind(), ErrorKind::exists);
  EXPECT_EQ(files.grow(dir_.path("link"), 8).error().kind(), ErrorKind::exists);

  // Somebody takes the name during the work.
  const int fd = files.create(dir_.path("late")).value();
  ASSERT_EQ(::symlink("precious", dir_.path("late").c_str()), 0);
  ASSERT_TRUE(pwrite_all(fd, 0, as_bytes("ours")));
  const auto published = files.publish();
  ASSERT_FALSE(published);
  EXPECT_THAT(published.error().message(), HasSubstr("late: already exists"));
  EXPECT_EQ(content("precious"), "theirs");
  EXPECT_FALSE(exists("victim"));
}

TEST_F(GrownFilesTest, UndoesAllUnlessItIsKept) {
  put("old", "four");
  put("large", "0123456789");
  {
    GrownFiles files;
    ASSERT_TRUE(files.create(dir_.path("new")));
    ASSERT_TRUE(files.grow(dir_.path("old"), 8));
    ASSERT_TRUE(files.grow(dir_.path("large"), 8));
    ASSERT_TRUE(files.publish());
    EXPECT_TRUE(exists("new"));
    EXPECT_EQ(std::filesystem::file_size(dir_.path("old")), 8u);
  }
  EXPECT_FALSE(exists("new"));
  EXPECT_EQ(content("old"), "four");
  EXPECT_EQ(content("large"), "0123456789");
}

TEST_F(GrownFilesTest, UndoesOnlyItsOwnFiles) {
  put("old", "four");
  {
    GrownFiles files;
    ASSERT_TRUE(files.create(dir_.path("new")));
    ASSERT_TRUE(files.grow(dir_.path("old"), 8));
    ASSERT_TRUE(files.publish());
    for (const char* name : {"new", "old"})
      std::filesystem::rename(dir_.path(name), dir_.path(std::string(name) + ".moved"));
    put("new", "their new file");
    put("old", "their old file");
  }
  EXPECT_EQ(content("new"), "their new file");
  EXPECT_EQ(content("old"), "their old file");
  EXPECT_EQ(content("old.moved"), "four");
}

TEST_F(GrownFilesTest, IsOneFileUnderAllItsNames) {
  put("old", "four");
  GrownFiles files;
  const int made = files.grow(dir_.path("new"), 4).value();
  EXPECT_EQ(files.grow(dir_.path("./new"), 8).value(), made);
  EXPECT_EQ(file_size(made).value(), 8u);
  const auto relative = std::filesystem::relative(dir_.path("new"));
  EXPECT_EQ(files.grow(relative.string(), 8).value(), made);
  const int old = files.grow(dir_.path("old"), 4).value();
  ASSERT_EQ(::symlink("old", dir_.path("link").c_str()), 0);
  EXPECT_EQ(files.grow(dir_.path("link"), 8).value(), old);
  EXPECT_FALSE(same_file(made, old));
}

}  // namespace
}  // namespace intact
