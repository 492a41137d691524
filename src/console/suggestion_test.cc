#include "suggestion.h"

#include <gtest/gtest.h>

namespace intact::console {
namespace {

TEST(Suggestion, FindsWhatWasMeant) {
  const std::vector<std::string> commands = {"images", "inspect", "integrity", "info",  "pull",
                                             "rm",     "run",     "verify",    "verity"};
  for (const auto& [typed, meant] :
       {std::pair{"image", "images"}, std::pair{"imgaes", "images"}, std::pair{"insp", "inspect"},
        std::pair{"pul", "pull"}, std::pair{"plul", "pull"}, std::pair{"integrty", "integrity"},
        std::pair{"verifyy", "verify"}, std::pair{"veriti", "verity"}})
    EXPECT_EQ(closest_word(typed, commands), meant) << typed;
  for (const char* typed : {"nonsense", "veri", "x", "", "build", "r", "push"})
    EXPECT_NE(closest_word(typed, commands), "images") << typed;
  EXPECT_EQ(closest_word("veri", commands), std::nullopt);  // verify or verity
  EXPECT_EQ(closest_word("nonsense", commands), std::nullopt);
  EXPECT_EQ(closest_word(std::string(100, 'a'), commands), std::nullopt);
  EXPECT_EQ(closest_word("--jsn", {"--json", "--store"}), "--json");
  EXPECT_EQ(closest_word("--password", {"--password-file", "--key"}), "--password-file");
}

}  // namespace
}  // namespace intact::console
