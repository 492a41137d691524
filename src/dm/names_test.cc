#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/dm/names.h>

namespace intact::dm {
namespace {

class NamesTest : public ::testing::Test {
 protected:
  File file(const char* name, block::Access access = block::Access::read_write) const {
    const std::string path = dir_.path(name);
    if (::access(path.c_str(), F_OK) != 0) {
      EXPECT_TRUE(write_file_durably(path, Bytes(4096, std::byte{7}), 0600));
    }
    return block::FileDevice::open(path, access).value();
  }
  static Key key(std::size_t size) {
    return std::make_shared<const crypto::Secret>(crypto::Secret::random(size));
  }
  static int number_in(const std::string& word) {
    return std::stoi(word.substr(word.rfind(':') + 1));
  }

  TempDir dir_ = TempDir::create().value();
};

TEST_F(NamesTest, AFileHasOneWord) {
  Names names;
  const File one = file("one"), two = file("two");
  const std::string word = names.add(one).value();
  EXPECT_EQ(names.add(one).value(), word);
  EXPECT_NE(names.add(two).value(), word);
  EXPECT_GE(number_in(word), Names::kFirstDescriptor);
  EXPECT_EQ(names.file(word).value(), one);
  EXPECT_EQ(names.device(word).value(), one);
}

TEST_F(NamesTest, DevicesOfTablesAreKnownByTheirNames) {
  Names names;
  EXPECT_EQ(names.device("dm:x").error().message(),
            "'dm:x' does not name the device of an earlier table");
  names.add_device("x", file("one"));
  EXPECT_EQ(names.device("dm:x").value()->size(), 4096u);
  EXPECT_FALSE(names.file("dm:x"));
}

TEST_F(NamesTest, WhatNobodyAddedIsUnknown) {
  Names names;
  const UniqueFd open(::fcntl(0, F_DUPFD_CLOEXEC, 20));
  for (const char* word : {"", "fd:20", "fd:x", "/dev/null", ":32:fd:20", "x"}) {
    EXPECT_EQ(names.device(word).error().kind(), ErrorKind::invalid_argument) << word;
    EXPECT_EQ(names.key(word).error().kind(), ErrorKind::invalid_argument) << word;
  }
}

TEST_F(NamesTest, AnotherProcessFindsTheSameUnderTheSameWords) {
  std::string word, key_word;
  Key secret = key(Names::kMaxKeySize);
  {
    Names names;
    File one = file("one", block::Access::read_only);
    word = names.add(one).value();
    key_word = names.add(secret).value();
    ASSERT_TRUE(one->make_writable()) << "after it was added";
    const std::vector<int> numbers = names.pass_on().value();
    ASSERT_EQ(numbers.size(), 2u);
    for (const int number : numbers) {
      EXPECT_EQ(::fcntl(number, F_GETFD), FD_CLOEXEC) << "any program would inherit it";
      // As exec keeps them, under the same numbers.
      const int copy = ::fcntl(number, F_DUPFD, 300 + number);
      ASSERT_EQ(copy, 300 + number);
    }
  }
  for (const int number : {number_in(word), number_in(key_word)}) {
    ASSERT_EQ(::dup2(300 + number, number), number);
    ::close(300 + number);
  }
  const UniqueFd second(::dup(number_in(key_word)));
  Names names = Names::of_inherited_descriptors();
  const File taken = names.file(word).value();
  EXPECT_TRUE(taken->writable());
  EXPECT_EQ(names.device(word).value(), taken) << "one file is one object";
  const Key key = names.key(key_word).value();
  EXPECT_TRUE(crypto::equal_secret(key->expose(), secret->expose()));
  EXPECT_EQ(names.key(key_word).value(), key);
  EXPECT_TRUE(crypto::Secret::read_from(second.get(), 100).value().empty())
      << "the key can be read again";
  EXPECT_EQ(::fcntl(number_in(key_word), F_GETFD), -1) << "the descriptor is still open";
}

TEST_F(NamesTest, AnotherProcessClaimsOnlyWhatWasPassedOn) {
  Names names = Names::of_inherited_descriptors();
  for (const char* word : {"fd:0", "fd:9", "fd:999999", "fd:-1", "fd:99999999999", "/dev/null"})
    EXPECT_FALSE(names.file(word)) << word;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "secret", 6), 6);
  ::close(ends[1]);
  const int high = ::fcntl(ends[0], F_DUPFD, 50);
  ::close(ends[0]);
  const auto key = names.key(":5:fd:" + std::to_string(high));
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().message(), "a key in a pipe: has 6 bytes, not 5");
}

TEST_F(NamesTest, KeysAreNotLargerThanAPipe) {
  Names names;
  EXPECT_EQ(names.add(key(Names::kMaxKeySize + 1)).error().kind(), ErrorKind::limit);
  EXPECT_TRUE(names.add(key(Names::kMaxKeySize)));
}

}  // namespace
}  // namespace intact::dm
