#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/console/program.h>

namespace intact::console {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class PassedWordsTest : public testing::Test {
 protected:
  PassedWordsTest() {
    command_.add_flag("-i", interactive_);
    command_.add_flag("-t", terminal_);
    command_.add_flag("--rw", writable_);
    command_.add_option("-e,--env", variables_);
    command_.add_option("--pub", key_);
  }
  std::vector<std::string> take(std::vector<std::string> all) {
    all.insert(all.begin(), "run");
    PassedWords taken = take_passed_words(all, command_, {"--pub", "--key"});
    kept_.assign(all.begin() + 1, all.end());
    late_option_ = taken.late_option;
    return taken.words;
  }

  CLI::App command_;
  bool interactive_ = false, terminal_ = false, writable_ = false;
  std::vector<std::string> variables_;
  std::string key_;
  std::vector<std::string> kept_;
  std::string late_option_;
};

TEST_F(PassedWordsTest, BeginsWithTheSecondWord) {
  EXPECT_THAT(take({"name", "ls", "-l", "-e", "[a,b]"}), ElementsAre("ls", "-l", "-e", "[a,b]"));
  EXPECT_THAT(kept_, ElementsAre("name"));
}

TEST_F(PassedWordsTest, OptionsAfterTheNameAreTheContainers) {
  EXPECT_THAT(take({"name", "--rw"}), ElementsAre("--rw"));
  EXPECT_THAT(take({"name", "-it", "-e", "A=1"}), ElementsAre("-it", "-e", "A=1"));
  EXPECT_THAT(take({"--pub", "key", "name", "--pub", "other", "--rw"}),
              ElementsAre("--pub", "other", "--rw"));
  EXPECT_THAT(kept_, ElementsAre("--pub", "key", "name"));
  EXPECT_THAT(take({"-i", "name", "--pub=x", "--rw"}), ElementsAre("--pub=x", "--rw"));
  EXPECT_EQ(late_option_, "");
}

TEST_F(PassedWordsTest, AKeyAfterTheNameIsAcceptedWhereNothingCameBefore) {
  EXPECT_THAT(take({"name", "--pub", "key", "--rw", "-e", "A=1", "ls", "--rw"}),
              ElementsAre("ls", "--rw"));
  EXPECT_THAT(kept_, ElementsAre("name", "--pub", "key", "--rw", "-e", "A=1"));
  EXPECT_EQ(late_option_, "--pub");
  EXPECT_THAT(take({"name", "--pub=key", "--", "--rw"}), ElementsAre("--rw"));
  EXPECT_THAT(kept_, ElementsAre("name", "--pub=key"));
}

TEST_F(PassedWordsTest, OnlyLateOptionsAreAcceptedAfterTheName) {
  std::vector<std::string> all = {"run", "name", "--pub", "key", "ls"};
  EXPECT_THAT(take_passed_words(all, command_).words, ElementsAre("--pub", "key", "ls"));
}

TEST_F(PassedWordsTest, TwoDashesEndTheOptions) {
  EXPECT_THAT(take({"name", "--", "--rw", "--", "x"}), ElementsAre("--rw", "--", "x"));
  EXPECT_THAT(kept_, ElementsAre("name"));
  EXPECT_THAT(take({"--", "name", "-x"}), ElementsAre("-x"));
  EXPECT_THAT(kept_, ElementsAre("name"));
}

TEST_F(PassedWordsTest, ValuesAreNotNames) {
  for (const std::vector<std::string>& options : std::vector<std::vector<std::string>>{
           {"-e", "A=1"}, {"-eA=1"}, {"-ite", "A=1"}, {"--env=A=1"}, {"--env", "A=1"}, {"-it"}}) {
    auto all = options;
    all.insert(all.end(), {"name", "ls"});
    EXPECT_THAT(take(all), ElementsAre("ls")) << options.front();
  }
}

TEST_F(PassedWordsTest, MayBeMissing) {
  EXPECT_THAT(take({}), IsEmpty());
  EXPECT_THAT(take({"name"}), IsEmpty());
  EXPECT_THAT(take({"name", "--"}), IsEmpty());
  EXPECT_THAT(take({"--pub"}), IsEmpty());
  EXPECT_THAT(kept_, ElementsAre("--pub"));
}

TEST_F(PassedWordsTest, UnknownOptionsStayForTheParserToRefuse) {
  EXPECT_THAT(take({"--bogus", "name", "ls"}), ElementsAre("ls"));
  EXPECT_THAT(kept_, ElementsAre("--bogus", "name"));
}

}  // namespace
}  // namespace intact::console
