#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/console/peer_commands.h>

#include "command.h"
#include "commands.h"

namespace intact::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class PeerCommands : public ::testing::Test {
 protected:
  PeerCommands() { add_all_commands(program_); }

  struct Outcome {
    int status;
    std::string out;
    std::string err;
  };
  Outcome run(std::vector<const char*> words) {
    words.insert(words.begin(), "intact");
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int status = program_.run(static_cast<int>(words.size()), words.data());
    return {status, ::testing::internal::GetCapturedStdout(),
            ::testing::internal::GetCapturedStderr()};
  }

  Program program_;
};

TEST_F(PeerCommands, AnswerQuestionsBeforeAnythingIsMissing) {
  for (const char* group : {"verity", "integrity"})
    for (const char* command : {"format", "close", "status"}) {
      for (const char* version : {"-V", "--version"}) {
        EXPECT_THAT(run({group, version}).out, StartsWith("intact "));
        EXPECT_THAT(run({group, command, version}).out, StartsWith("intact "));
      }
      EXPECT_THAT(run({group, "-?"}).out, HasSubstr("Subcommands:"));
      EXPECT_THAT(run({group, command, "-?"}).out, HasSubstr("--usage"));
      const Outcome usage = run({group, command, "--usage"});
      EXPECT_EQ(usage.status, 0);
      EXPECT_THAT(usage.out, StartsWith(fmt::format("Usage: intact {} {} [-", group, command)));
      EXPECT_EQ(run({group, command}).status, 2);
    }
}

TEST_F(PeerCommands, UsageHasEveryArgumentOnShortLines) {
  const std::string usage = run({"verity", "format", "--usage"}).out;
  EXPECT_THAT(usage, AllOf(HasSubstr("[-s|--salt=HEX]"), HasSubstr("[-v|--verbose]"),
                           HasSubstr(" DATA HASH\n")));
  std::size_t begin = 0;
  for (std::size_t end; (end = usage.find('\n', begin)) != std::string::npos; begin = end + 1)
    EXPECT_LE(end - begin, 80u);
}

TEST_F(PeerCommands, SayHowTheyEndedWhereThatIsAskedFor) {
  EXPECT_THAT(run({"verity", "dump", "/nowhere"}).err, StartsWith("intact: "));
  EXPECT_THAT(run({"verity", "dump", "/nowhere", "-v"}).err,
              StartsWith("Command failed with code 7.\n"));
}

}  // namespace
}  // namespace intact::cli
