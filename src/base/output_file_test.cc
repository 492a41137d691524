#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/base/output_file.h>

namespace intact {
namespace {

using Existing = OutputFile::Existing;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class OutputFileTest : public testing::Test {
 protected:
  std::string content(const std::string& name) {
    return std::string(as_text(read_file(dir_.path(name), 100).value()));
  }
  std::vector<std::string> names() {
    const UniqueFd fd = open_file(dir_.path(), O_RDONLY | O_DIRECTORY).value();
    return list_names(fd.get()).value();
  }
  Result<void> write(const std::string& path, Existing existing, std::string_view text) {
    OutputFile file = TRY(OutputFile::create(path, existing));
    TRY(file.write(as_bytes(text)));
    return file.publish();
  }

  TempDir dir_ = TempDir::create().value();
};

TEST_F(OutputFileTest, HasNoNameBeforeItIsPublished) {
  {
    OutputFile file = OutputFile::create(dir_.path("a"), Existing::refuse, 0640).value();
    ASSERT_TRUE(file.write(as_bytes("new")));
    EXPECT_THAT(names(), IsEmpty());
    ASSERT_TRUE(file.publish());
  }
  EXPECT_THAT(names(), ElementsAre("a"));
  EXPECT_EQ(content("a"), "new");
  struct stat st;
  ASSERT_EQ(::stat(dir_.path("a").c_str(), &st), 0);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  EXPECT_EQ(st.st_mode & 07777, 0640 & ~mask);

  {
    ASSERT_TRUE(OutputFile::create(dir_.path("never"), Existing::replace));
  }
  EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(OutputFileTest, RefusesWhatExistsAtEitherEnd) {
  ASSERT_TRUE(write(dir_.path("a"), Existing::refuse, "old"));
  auto refused = OutputFile::create(dir_.path("a"), Existing::refuse);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::exists);
  EXPECT_THAT(refused.error().message(), HasSubstr("a: already exists; remove it"));

  OutputFile file = OutputFile::create(dir_.path("b"), Existing::refuse).value();
  ASSERT_EQ(::symlink("a", dir_.path("b").c_str()), 0);  // somebody is faster
  auto late = file.publish();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind(), ErrorKind::exists);
  EXPECT_EQ(content("a"), "old");
  EXPECT_THAT(names(), ElementsAre("a", "b"));
}

TEST_F(OutputFileTest, ReplacesAFileAndALinkButNotWhatTheLinkLeadsTo) {
  ASSERT_TRUE(write(dir_.path("a"), Existing::replace, "old"));
  ASSERT_TRUE(write(dir_.path("a"), Existing::replace, "new"));
  EXPECT_EQ(content("a"), "new");
  ASSERT_EQ(::symlink("a", dir_.path("link").c_str()), 0);
  ASSERT_TRUE(write(dir_.path("link"), Existing::replace, "other"));
  EXPECT_EQ(content("a"), "new");
  EXPECT_EQ(content("link"), "other");
  EXPECT_THAT(names(), ElementsAre("a", "link"));
}

TEST_F(OutputFileTest, NamesWhatCannotBeWritten) {
  auto missing = OutputFile::create(dir_.path("no/a"), Existing::replace);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind(), ErrorKind::not_found);
  ASSERT_EQ(::mkdir(dir_.path("d").c_str(), 0755), 0);
  for (const char* name : {"d", "d/", "d/.", "d/.."})
    EXPECT_FALSE(OutputFile::create(dir_.path(name), Existing::replace)) << name;
}

TEST_F(OutputFileTest, WritesDescriptorsDevicesAndOwnFifosInPlace) {
  EXPECT_TRUE(write("/dev/null", Existing::replace, "x"));
  struct stat st;
  ASSERT_EQ(::stat("/dev/null", &st), 0);
  EXPECT_TRUE(S_ISCHR(st.st_mode));

  const UniqueFd fd = open_file(dir_.path("log"), O_RDWR | O_CREAT | O_APPEND, 0600).value();
  ASSERT_TRUE(write_all(fd.get(), as_bytes("first ")));
  ASSERT_TRUE(write("/dev/fd/" + std::to_string(fd.get()), Existing::replace, "second"));
  EXPECT_EQ(content("log"), "first second");

  const std::string fifo = dir_.path("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const UniqueFd reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(write(fifo, Existing::refuse, "through"));
  std::string got(7, ' ');
  EXPECT_EQ(::read(reader.get(), got.data(), got.size()), 7);
  EXPECT_EQ(got, "through");
}

TEST_F(OutputFileTest, DoesNotWriteThroughALinkToADevice) {
  ASSERT_EQ(::symlink("/dev/null", dir_.path("link").c_str()), 0);
  EXPECT_FALSE(OutputFile::create(dir_.path("link"), Existing::refuse));
  ASSERT_TRUE(write(dir_.path("link"), Existing::replace, "file"));
  EXPECT_EQ(content("link"), "file");
}

TEST(RandomName, CannotBeForeseen) {
  const std::string name = random_name(".tmp");
  EXPECT_EQ(name.size(), 20u);
  EXPECT_NE(name, random_name(".tmp"));
}

}  // namespace
}  // namespace intact
