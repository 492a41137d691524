#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/console/completion.h>

#include "command.h"
#include "commands.h"

namespace intact::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

class CompletionTest : public testing::Test {
 protected:
  CompletionTest() {
    add_all_commands(program_);
    model_ = make_model(program_.app());
  }

  Completion at(const std::vector<std::string>& words) {
    return complete(model_, words,
                    {.images =
                         [this](const std::string& directory) {
                           asked_store_ = directory;
                           return std::vector<std::string>{"app", "host/other:1"};
                         },
                     .tags =
                         [](const std::string& layout) {
                           return layout == "no/such"
                                      ? std::vector<std::string>{"1.0", "1.0-sealed"}
                                      : std::vector<std::string>();
                         },
                     .mounts = [] { return std::vector<std::string>{"/mnt/app"}; }});
  }
  std::vector<std::string> texts(const std::vector<std::string>& words) {
    std::vector<std::string> texts;
    for (const Candidate& candidate : at(words).candidates) texts.push_back(candidate.text);
    return texts;
  }

  /// Whatever the parser knows is offered, in every command.
  void check_all(const CLI::App& command, std::vector<std::string> words) {
    words.emplace_back("-");
    const auto offered = texts(words);
    words.pop_back();
    for (const CLI::Option* option : command.get_options()) {
      if (option->get_group().empty()) continue;
      for (const std::string& name : option->get_lnames())
        EXPECT_THAT(offered, Contains("--" + name));
      for (const std::string& name : option->get_snames())
        EXPECT_THAT(offered, Contains("-" + name));
    }
    for (const CLI::App* sub : command.get_subcommands([](const CLI::App*) { return true; })) {
      if (sub->get_group().empty()) continue;
      words.emplace_back("");
      EXPECT_THAT(texts(words), Contains(sub->get_name()));
      words.back() = sub->get_name();
      check_all(*sub, words);
      words.pop_back();
    }
  }

  Program program_;
  CommandModel model_;
  std::string asked_store_;
};

TEST_F(CompletionTest, OffersEveryCommandAndOption) {
  check_all(program_.app(), {});
}

TEST_F(CompletionTest, HiddenCommandsAndOptionsStayHidden) {
  EXPECT_THAT(texts({""}), Not(Contains("__complete")));
  EXPECT_THAT(texts({"verity", ""}), Not(Contains("create")));
  EXPECT_THAT(texts({"verity", ""}), Not(Contains("remove")));
  EXPECT_THAT(texts({"verity", "format", "-"}), Contains("--verbose"));
}

TEST_F(CompletionTest, OffersTheWordsThatAnOptionTakes) {
  EXPECT_THAT(texts({"mount", "--verity", ""}), ElementsAre("require", "on", "validate", "off"));
  EXPECT_THAT(texts({"run", "--network", ""}), ElementsAre("none", "host"));
  EXPECT_THAT(texts({"run", "--network=h"}), ElementsAre("--network=none", "--network=host"));
}

TEST_F(CompletionTest, OffersImagesOfTheStoreThatIsMeant) {
  EXPECT_THAT(texts({"rm", "--store", "/elsewhere", ""}), ElementsAre("app", "host/other:1"));
  EXPECT_EQ(asked_store_, "/elsewhere");
  EXPECT_THAT(texts({"rm", "--store=/there", ""}), ElementsAre("app", "host/other:1"));
  EXPECT_EQ(asked_store_, "/there");
  EXPECT_THAT(texts({"inspect", ""}), IsSupersetOf({"app", "oci:"}));  // or a source
  EXPECT_THAT(texts({"tag", "app", "other", ""}), IsEmpty());          // it takes no third
  EXPECT_THAT(texts({"rm", "app", ""}), ElementsAre("app", "host/other:1"));
}

TEST_F(CompletionTest, OffersTagsOfLayoutsAndMounts) {
  EXPECT_THAT(texts({"pull", "oci:no/such:"}),
              ElementsAre("oci:no/such:1.0", "oci:no/such:1.0-sealed"));
  EXPECT_FALSE(at({"pull", "oci:no/such:1"}).open_ended);
  EXPECT_THAT(texts({"pull", "oci:other:"}), IsEmpty());
  EXPECT_THAT(texts({"umount", ""}), Contains("/mnt/app"));
  EXPECT_TRUE(at({"umount", ""}).directories);
}

TEST_F(CompletionTest, KnowsAliases) {
  EXPECT_THAT(texts({"rmi", "-"}), Contains("--store"));
  EXPECT_THAT(texts({"trust", "ls", "-"}), Contains("--json"));
  EXPECT_THAT(texts({"completion", ""}), ElementsAre("bash", "zsh", "fish"));
}

TEST_F(CompletionTest, LeavesFilesToTheShell) {
  EXPECT_TRUE(at({"seal", "--key", ""}).files);
  EXPECT_TRUE(at({"mount", "app", ""}).directories);
  EXPECT_FALSE(at({"mount", "app", ""}).files);
  EXPECT_TRUE(at({"pull", "oc"}).open_ended);
}

TEST_F(CompletionTest, BehindTwoDashesNothingIsAnOption) {
  EXPECT_THAT(texts({"rm", "-"}), Contains("--store"));
  EXPECT_THAT(texts({"rm", "--", "-"}), Not(Contains("--store")));
  EXPECT_THAT(texts({"run", "app", "-"}), IsEmpty());  // the container's
}

TEST_F(CompletionTest, WhatIsGivenIsNotOfferedAgainUnlessItMayBe) {
  EXPECT_THAT(texts({"verify", "--json", "-"}), Not(Contains("--json")));
  EXPECT_THAT(texts({"verify", "--pub", "k", "-"}), Contains("--pub"));
}

TEST(CompletionLines, LeaveOutWhatWouldSpoilATerminal) {
  Completion completion;
  completion.candidates = {{"oci:a", "text"}, {"oci:\x1b[2J", ""}, {"oci:b\nc", ""}, {"other", ""}};
  completion.open_ended = true;
  EXPECT_EQ(to_lines(completion, "oci:"), "oci:a\ttext\n: open\n");
}

}  // namespace
}  // namespace intact::cli
