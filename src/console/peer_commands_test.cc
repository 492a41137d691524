#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/console/peer_commands.h>

namespace intact::console {
namespace {

std::vector<std::string> reordered(const std::string& line) {
  CLI::App program;
  CLI::App* group = program.add_subcommand("verity");
  std::string value;
  bool flag = false;
  CLI::App* format = group->add_subcommand("format");
  format->add_option("--salt,-s", value);
  format->add_flag("--no-superblock", flag);
  group->add_subcommand("dump");
  std::istringstream words(line);
  std::vector<std::string> arguments{std::istream_iterator<std::string>(words), {}};
  put_command_first(*group, arguments);
  return arguments;
}

using testing::ElementsAre;

TEST(PeerArguments, CommandsComeBeforeOptions) {
  EXPECT_THAT(reordered("verity --salt=1 format a b"),
              ElementsAre("verity", "format", "--salt=1", "a", "b"));
  EXPECT_THAT(reordered("verity --salt 1 --no-superblock format a b"),
              ElementsAre("verity", "format", "--salt", "1", "--no-superblock", "a", "b"));
}

TEST(PeerArguments, ValuesAreNoCommands) {
  EXPECT_THAT(reordered("verity --salt dump format a"),
              ElementsAre("verity", "format", "--salt", "dump", "a"));
  EXPECT_THAT(reordered("verity --no-superblock dump format"),
              ElementsAre("verity", "dump", "--no-superblock", "format"));
}

TEST(PeerArguments, OthersStayAsTheyAre) {
  EXPECT_THAT(reordered("verity format dump --salt=1"),
              ElementsAre("verity", "format", "dump", "--salt=1"));
  EXPECT_THAT(reordered("verity --salt=1"), ElementsAre("verity", "--salt=1"));
  EXPECT_THAT(reordered("run --salt=1 format"), ElementsAre("run", "--salt=1", "format"));
  EXPECT_THAT(reordered(""), ElementsAre());
}

}  // namespace
}  // namespace intact::console
