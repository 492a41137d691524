#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/line_log.h>

namespace intact {
namespace {

TEST(LineLog, WritesEachLineOnceAndNeverTwoForOne) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd reader(ends[0]);
  {
    const UniqueFd writer(ends[1]);
    LineLog log(writer.get());
    log.add("block 5");
    log.add("block 5");
    log.add("name\nwith \x1b[31mtricks");
  }
  const Bytes bytes = read_fd(reader.get(), 4096).value();
  EXPECT_THAT(std::string(as_text(bytes)),
              ::testing::MatchesRegex("[^ \n]+ block 5\n[^ \n]+ name[?]with [?].31mtricks\n"));
}

}  // namespace
}  // namespace intact
