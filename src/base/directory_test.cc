#include <cerrno>

#include <fcntl.h>
#include <gtest/gtest.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>

namespace intact {
namespace {

TEST(ListNames, SortedWithoutTheDotsAndAgain) {
  const TempDir dir = *TempDir::create();
  const UniqueFd fd = *open_file(dir.path(), O_RDONLY | O_DIRECTORY);
  EXPECT_TRUE(list_names(fd.get())->empty());
  for (const char* name : {"b", "a", ".hidden", "..."})
    ASSERT_TRUE(write_file_durably(dir.path(name), {}, 0644));
  const std::vector<std::string> want = {"...", ".hidden", "a", "b"};
  EXPECT_EQ(*list_names(fd.get()), want);
  EXPECT_EQ(*list_names(fd.get()), want);
}

TEST(ListNames, WhatIsNoDirectoryIsNotEmpty) {
  const TempDir dir = *TempDir::create();
  ASSERT_TRUE(write_file_durably(dir.path("file"), {}, 0644));
  const UniqueFd file = *open_file(dir.path("file"), O_RDONLY);
  const auto names = list_names(file.get());
  ASSERT_FALSE(names);
  EXPECT_EQ(names.error().sys_errno(), ENOTDIR);
}

}  // namespace
}  // namespace intact
