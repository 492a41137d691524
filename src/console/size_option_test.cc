#include <algorithm>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/console/size_option.h>

namespace intact::console {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(SizeOption, UnitsAreThoseOfCryptsetupAndQemuImg) {
  const std::pair<const char*, std::uint64_t> sizes[] = {
      {"0", 0},
      {"4096", 4096},
      {"007", 7},
      {"1B", 1},
      {"512b", 512},
      {"1K", 1024},
      {"1k", 1024},
      {"1KiB", 1024},
      {"1KB", 1000},
      {"1M", 1048576},
      {"1MiB", 1048576},
      {"1mib", 1048576},
      {"1MB", 1000000},
      {"3G", 3ull << 30},
      {"3GB", 3000000000ull},
      {"2T", 2ull << 40},
      {"2TB", 2000000000000ull},
      {"1P", 1ull << 50},
      {"1PB", 1000000000000000ull},
      {"15E", 15ull << 60},
      {"18EB", 18000000000000000000ull},
      {"18446744073709551615", UINT64_MAX},
  };
  for (const auto& [text, bytes] : sizes) {
    const auto size = parse_size(text);
    ASSERT_TRUE(size) << text << ": " << size.error().message();
    EXPECT_EQ(*size, bytes) << text;
  }
}

TEST(SizeOption, WhatIsNotASizeIsRefused) {
  for (const char* text :
       {"",       " ",  "M",   "-1",  "+1",  "-1M", " 1M",  "1M ",   "1 M",  "1.5M",
        "0x1000", "1Q", "1MM", "1Mi", "1iB", "1BB", "1MBB", "1KiBi", "1M\n", "1e6"}) {
    const auto size = parse_size(text);
    ASSERT_FALSE(size) << text;
    EXPECT_EQ(size.error().kind(), ErrorKind::invalid_argument) << text;
    EXPECT_THAT(size.error().message(), HasSubstr(std::string("'") + text + "'"));
  }
}

TEST(SizeOption, OverflowIsRefusedAndTheLargestValueIsNot) {
  for (const char* text : {"18446744073709551616", "16E", "19EB", "17592186044416M",
                           "18014398509481984K", "99999999999999999999999M"}) {
    const auto size = parse_size(text);
    ASSERT_FALSE(size) << text;
    EXPECT_THAT(size.error().message(), HasSubstr("too large")) << text;
  }
  EXPECT_EQ(parse_size("17592186044415M").value(), 17592186044415ull << 20);
  EXPECT_EQ(parse_size("4G", SizeUnit::byte, UINT32_MAX).has_value(), false);
  EXPECT_EQ(parse_size("4294967295", SizeUnit::byte, UINT32_MAX).value(), UINT32_MAX);
}

TEST(SizeOption, APlainNumberCountsTheUnitOfTheOption) {
  EXPECT_EQ(parse_size("100", SizeUnit::sector).value(), 100u);
  EXPECT_EQ(parse_size("1M", SizeUnit::sector).value(), 2048u);
  EXPECT_EQ(parse_size("512B", SizeUnit::sector).value(), 1u);
  const auto part = parse_size("1KB", SizeUnit::sector);
  ASSERT_FALSE(part);
  EXPECT_THAT(part.error().message(), HasSubstr("not a multiple of 512 bytes"));
}

TEST(SizeOption, NumbersTakeNoUnit) {
  EXPECT_EQ(parse_number("24", 24).value(), 24u);
  for (const char* text : {"", "25", "-1", "1K", "0x10", "1.0", " 1", "18446744073709551616"})
    EXPECT_FALSE(parse_number(text, 24)) << text;
}

TEST(SizeOption, TextsAreReadBack) {
  for (const std::uint64_t bytes : {0ull, 1ull, 1023ull, 1024ull, 3ull << 20, 5ull << 60})
    EXPECT_EQ(parse_size(size_text(bytes)).value(), bytes);
  EXPECT_EQ(size_text(1 << 30), "1G");
}

/// What the parser says of these arguments; empty: nothing.
std::string complaint(CLI::App& command, std::vector<std::string> arguments) {
  std::ranges::reverse(arguments);
  try {
    command.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  return "";
}

TEST(SizeOption, OptionsTakeSizesAndMessagesNameTheOption) {
  CLI::App command;
  std::uint32_t size = 0;
  std::optional<std::uint64_t> sectors;
  std::uint16_t number = 0;
  add_size_option(&command, "-s,--size", size, "");
  add_size_option(&command, "--sectors", sectors, "", SizeUnit::sector);
  add_number_option(&command, "--number", number, "");
  EXPECT_EQ(complaint(command, {"--size", "64KiB"}), "");
  EXPECT_EQ(size, 65536u);
  EXPECT_FALSE(sectors);
  EXPECT_EQ(complaint(command, {"-s4K", "--sectors=1M", "--number", "65535"}), "");
  EXPECT_EQ(size, 4096u);
  EXPECT_EQ(sectors, 2048u);
  EXPECT_EQ(number, 65535u);
  EXPECT_THAT(complaint(command, {"--size", "4G"}), AllOf(HasSubstr("--size"), HasSubstr("'4G'")));
  EXPECT_THAT(complaint(command, {"--sectors", "-1"}),
              AllOf(HasSubstr("--sectors"), HasSubstr("'-1'")));
  EXPECT_THAT(complaint(command, {"--number", "65536"}),
              AllOf(HasSubstr("--number"), HasSubstr("65535")));
}

}  // namespace
}  // namespace intact::console
