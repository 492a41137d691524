#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/fsverity/tree.h>

#include "testing.h"

namespace intact::composefs {
namespace {

using testing::ElementsAre;

constexpr std::string_view kDump =
    "/ 4096 40755 5 0 0 0 0.0 - - -\n"
    "/a\\x20b 0 100644 2 0 0 0 0.0 - - -\n"
    "/dir 4096 40755 2 0 0 0 0.0 - - -\n"
    "/dir/large 100 100644 2 0 0 0 0.0 ab/cdef - -\n"
    "/dir/other 100 100644 1 0 0 0 0.0 01/23 - -\n"
    "/dir/small 2 100644 1 0 0 0 0.0 - hi -\n"
    "/hard 0 @120777 - - - - 0.0 /dir/large - -\n"
    "/link 9 120777 1 0 0 0 0.0 to\\x20there - -\n"
    "/pipe 0 10644 1 0 0 0 0.0 - - -\n";

tree::Tree some_tree() {
  auto tree = test::parse(kDump);
  EXPECT_TRUE(tree) << tree.error().message();
  return std::move(tree).value_or(tree::Tree{});
}

TEST(WriteList, IsWhatComposefsInfoPrints) {
  std::string text;
  ASSERT_TRUE(write_list(some_tree(), [&](std::string_view part) -> Result<void> {
    text += part;
    return {};
  }));
  EXPECT_EQ(text,
            "/a b\n"
            "/dir/\t\n"
            "/dir/large\t@ ab/cdef\n"
            "/dir/other\t@ 01/23\n"
            "/dir/small\n"
            "/hard\n"
            "/link\t-> to\\x20there\n"
            "/pipe\n");
}

TEST(WriteList, EndsWithTheFirstErrorOfItsSink) {
  int lines = 0;
  const auto written = write_list(some_tree(), [&](std::string_view) -> Result<void> {
    if (++lines == 3) return Error(ErrorKind::io, "disk full");
    return {};
  });
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message(), "disk full");
  EXPECT_EQ(lines, 3);
}

TEST(CollectPayloads, NamesEachObjectOnce) {
  std::set<std::string> payloads = {"before"};
  collect_payloads(some_tree(), payloads);
  EXPECT_THAT(payloads, ElementsAre("01/23", "ab/cdef", "before"));
}

TEST(IsMissing, LooksBelowTheDirectory) {
  const TempDir dir = TempDir::create().value();
  ASSERT_TRUE(make_directories(dir.path("ab")));
  ASSERT_TRUE(write_file_durably(dir.path("ab/cdef"), as_bytes("x"), 0600));
  const UniqueFd objects = open_file(dir.path(), O_RDONLY | O_DIRECTORY | O_PATH).value();
  EXPECT_FALSE(is_missing(objects.get(), "ab/cdef"));
  EXPECT_FALSE(is_missing(objects.get(), "//ab/cdef"));
  EXPECT_TRUE(is_missing(objects.get(), "ab/other"));
  EXPECT_TRUE(is_missing(objects.get(), "/etc/passwd")) << "not a path of the system";
}

TEST(OpenImageFile, HasTheBytesOfTheFile) {
  const TempDir dir = TempDir::create().value();
  const Bytes image = test::image_of(kDump);
  ASSERT_TRUE(write_file_durably(dir.path("image"), image, 0600));
  const auto source = open_image_file(open_file(dir.path("image"), O_RDWR).value());
  ASSERT_TRUE(source) << source.error().message();
  // Later changes are not seen.
  ASSERT_EQ(::truncate(dir.path("image").c_str(), 0), 0);
  EXPECT_EQ(digest_of_image(**source).value(), fsverity::digest_of(image));
  EXPECT_EQ(read_info(*source)->size, image.size());
  EXPECT_EQ(digest_of_image(*test::source_of({})).value(), fsverity::digest_of({}));
}

TEST(OpenImageFile, ReadsAPipeToItsEnd) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd out(ends[0]);
  {
    const UniqueFd in(ends[1]);
    ASSERT_TRUE(write_all(in.get(), as_bytes("not an image")));
  }
  const auto source = read_image_stream(out.get());
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_EQ((*source)->size(), 12u);
  EXPECT_EQ(read_info(*source).error().kind(), ErrorKind::malformed);
}

TEST(ParseDump, ReadsAPipeToItsEnd) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd out(ends[0]);
  {
    const UniqueFd in(ends[1]);
    ASSERT_TRUE(write_all(in.get(), as_bytes(kDump)));
  }
  const auto tree = parse_dump(out.get());
  ASSERT_TRUE(tree) << tree.error().message();
  EXPECT_EQ(test::dump_of(*tree), test::dump_of(some_tree()));
  EXPECT_FALSE(parse_dump(-1)) << "not a descriptor";
}

}  // namespace
}  // namespace intact::composefs
