#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/console/program.h>

namespace intact::console {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class CommandLine : public testing::Test {
 protected:
  CommandLine() {
    CLI::App* group = program_.add(program_.app(), "group", "A group");
    CLI::App* command = program_.add(*group, "command", "A command");
    command->add_option("FILE", files_)->required();
    allow_empty(command->add_option("-s,--salt", salt_));
    command->add_flag("--compact", compact_);
    program_.on_chosen(command, []() -> Result<int> { return 0; });
  }

  int run(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), {"intact", "group", "command"});
    return program_.run(static_cast<int>(arguments.size()), arguments.data());
  }

  Program program_;
  std::vector<std::string> files_;
  std::string salt_ = "default";
  bool compact_ = false;
};

TEST_F(CommandLine, AnOptionHasTheValueBehindItsEqualsSign) {
  EXPECT_EQ(run({"--salt=00ff", "file"}), 0);
  EXPECT_EQ(salt_, "00ff");
  EXPECT_THAT(files_, ElementsAre("file"));
}

// A script whose variable is not set must not lose the check that it asks for.
TEST_F(CommandLine, AnEmptyFileIsNone) {
  std::string file;
  program_.app()
      .get_subcommand("group")
      ->get_subcommand("command")
      ->add_option("--hash-file", file)
      ->type_name("FILE");
  EXPECT_EQ(run({"--hash-file", "", "file"}), 2);
  EXPECT_EQ(run({"--hash-file=", "file"}), 2);
  EXPECT_EQ(run({"--hash-file", "x", "file"}), 0);
}

TEST_F(CommandLine, NothingElseIsEmptyWhateverItsType) {
  std::string pin;
  program_.app()
      .get_subcommand("group")
      ->get_subcommand("command")
      ->add_option("--pin", pin)
      ->type_name("DIGEST");
  EXPECT_EQ(run({"--pin", "", "file"}), 2);
  EXPECT_EQ(run({""}), 2);
  EXPECT_EQ(run({"file", ""}), 2);
  EXPECT_EQ(run({"--pin", "x", "file"}), 0);
}

TEST_F(CommandLine, AnOptionMaySayThatEmptyIsAValue) {
  std::string key = "default";
  CLI::App* const command = program_.app().get_subcommand("group")->get_subcommand("command");
  allow_empty(command->add_option("--key", key)->type_name("HEX"));
  EXPECT_EQ(run({"--key=", "file"}), 0);
  EXPECT_EQ(key, "");
  // The mark is not for people.
  EXPECT_THAT(command->help(), AllOf(HasSubstr("--key HEX"), Not(HasSubstr("may be empty"))));
}

TEST_F(CommandLine, AnEmptyValueIsAValueAndTakesNothingElse) {
  EXPECT_EQ(run({"--salt=", "file"}), 0);
  EXPECT_EQ(salt_, "");
  EXPECT_THAT(files_, ElementsAre("file"));
}

TEST_F(CommandLine, AnEmptyValueMayStandLast) {
  EXPECT_EQ(run({"file", "--compact", "--salt="}), 0);
  EXPECT_EQ(salt_, "");
  EXPECT_TRUE(compact_);
}

TEST_F(CommandLine, BehindTwoDashesNothingIsAnOption) {
  EXPECT_EQ(run({"--", "--salt=", "file"}), 0);
  EXPECT_EQ(salt_, "default");
  EXPECT_THAT(files_, ElementsAre("--salt=", "file"));
}

TEST_F(CommandLine, UnknownOptionsStayUnknown) {
  EXPECT_EQ(run({"file", "--pepper="}), 2);
}

}  // namespace
}  // namespace intact::console
