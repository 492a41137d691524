#include "container_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace intact::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ContainerCommand : public testing::Test {
 protected:
  ContainerCommand() {
    command_.add_flag("-i", interactive_);
    command_.add_flag("-t", terminal_);
    command_.add_flag("--rw", writable_);
    command_.add_option("-e,--env", variables_);
    command_.add_option("--pub", key_);
  }
  std::vector<std::string> take(std::vector<std::string> all) {
    all.insert(all.begin(), "run");
    auto taken = take_container_command(all, command_);
    kept_.assign(all.begin() + 1, all.end());
    return taken;
  }

  CLI::App command_;
  bool interactive_ = false, terminal_ = false, writable_ = false;
  std::vector<std::string> variables_;
  std::string key_;
  std::vector<std::string> kept_;
};

TEST_F(ContainerCommand, BeginsWithTheSecondWord) {
  EXPECT_THAT(take({"name", "ls", "-l", "-e", "[a,b]"}), ElementsAre("ls", "-l", "-e", "[a,b]"));
  EXPECT_THAT(kept_, ElementsAre("name"));
}

TEST_F(ContainerCommand, OptionsMayStandBehindTheName) {
  EXPECT_THAT(take({"--rw", "name", "-it", "-e", "A=1", "--pub", "key", "ls", "--rw"}),
              ElementsAre("ls", "--rw"));
  EXPECT_THAT(kept_, ElementsAre("--rw", "name", "-it", "-e", "A=1", "--pub", "key"));
}

TEST_F(ContainerCommand, TwoDashesEndTheOptions) {
  EXPECT_THAT(take({"name", "--", "--rw", "--", "x"}), ElementsAre("--rw", "--", "x"));
  EXPECT_THAT(kept_, ElementsAre("name"));
  EXPECT_THAT(take({"--", "name", "-x"}), ElementsAre("-x"));
  EXPECT_THAT(kept_, ElementsAre("name"));
}

TEST_F(ContainerCommand, ValuesAreNotNames) {
  for (const std::vector<std::string>& options : std::vector<std::vector<std::string>>{
           {"-e", "A=1"}, {"-eA=1"}, {"-ite", "A=1"}, {"--env=A=1"}, {"--env", "A=1"}, {"-it"}}) {
    auto all = options;
    all.insert(all.end(), {"name", "ls"});
    EXPECT_THAT(take(all), ElementsAre("ls")) << options.front();
  }
}

TEST_F(ContainerCommand, MayBeMissing) {
  EXPECT_THAT(take({}), IsEmpty());
  EXPECT_THAT(take({"name"}), IsEmpty());
  EXPECT_THAT(take({"name", "--"}), IsEmpty());
  EXPECT_THAT(take({"--pub"}), IsEmpty());
  EXPECT_THAT(kept_, ElementsAre("--pub"));
}

TEST_F(ContainerCommand, UnknownOptionsStayForTheParserToRefuse) {
  EXPECT_THAT(take({"name", "--bogus", "ls"}), ElementsAre("ls"));
  EXPECT_THAT(kept_, ElementsAre("name", "--bogus"));
}

}  // namespace
}  // namespace intact::cli
