#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/unique_fd.h>
#include <intact/crypto/random.h>
#include <intact/crypto/secret.h>

namespace intact::crypto {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define INTACT_SANITIZED 1
#endif
#endif
#if defined(INTACT_SANITIZED) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

/// Whether the mapping that holds `address` has a flag in its VmFlags.
bool has_vm_flag(const void* address, const std::string& flag) {
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  while (std::getline(maps, line)) {
    unsigned long first = 0, last = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &first, &last) == 2) {
      const auto value = reinterpret_cast<unsigned long>(address);
      inside = value >= first && value < last;
    } else if (inside && line.starts_with("VmFlags:")) {
      return (line + " ").find(" " + flag + " ") != std::string::npos;
    }
  }
  return false;
}

std::pair<UniqueFd, UniqueFd> make_pipe() {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

TEST(Secret, HoldsACopyAndMoves) {
  Secret a = Secret::copy_of(as_bytes("hunter2"));
  EXPECT_EQ(a.expose_text(), "hunter2");
  Secret b = std::move(a);
  EXPECT_TRUE(a.empty());  // NOLINT: that is what is tested
  EXPECT_EQ(b.expose_text(), "hunter2");
  a = std::move(b);
  EXPECT_EQ(a.expose_text(), "hunter2");
  EXPECT_TRUE(b.empty());  // NOLINT
  EXPECT_TRUE(Secret().empty());
  EXPECT_TRUE(Secret::copy_of({}).empty());
}

TEST(Secret, StaysOutOfSwapAndDumps) {
  const Secret secret(100);
  EXPECT_TRUE(has_vm_flag(secret.expose().data(), "dd"));
  // The sanitizers replace mlock by a function that says yes and does nothing.
  if (!kSanitized) {
    EXPECT_EQ(has_vm_flag(secret.expose().data(), "lo"), secret.locked());
  }
  const std::string ordinary(100'000, 'x');
  EXPECT_FALSE(has_vm_flag(ordinary.data(), "dd"));
}

TEST(Secret, ReadsADescriptorUpToTheLimit) {
  for (const std::size_t size : {0, 1, 9, 10}) {
    auto [reader, writer] = make_pipe();
    const std::string text(size, 'p');
    ASSERT_EQ(::write(writer.get(), text.data(), size), static_cast<ssize_t>(size));
    writer.reset();
    const auto secret = Secret::read_from(reader.get(), 10);
    ASSERT_TRUE(secret) << size;
    EXPECT_EQ(secret->expose_text(), text);
  }
  auto [reader, writer] = make_pipe();
  ASSERT_EQ(::write(writer.get(), "12345678901", 11), 11);
  writer.reset();
  const auto too_long = Secret::read_from(reader.get(), 10);
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().kind(), ErrorKind::limit);
  EXPECT_EQ(too_long.error().message().find("1234"), std::string::npos);
}

TEST(Secret, ComparesBySizeAndContent) {
  EXPECT_TRUE(equal_secret(as_bytes("abc"), as_bytes("abc")));
  EXPECT_TRUE(equal_secret({}, {}));
  EXPECT_FALSE(equal_secret(as_bytes("abc"), as_bytes("abd")));
  EXPECT_FALSE(equal_secret(as_bytes("abc"), as_bytes("ab")));
}

TEST(Secret, WipeLeavesZeros) {
  Bytes bytes = to_bytes("secret");
  wipe(bytes);
  EXPECT_TRUE(equal(bytes, Bytes(6)));
}

TEST(Random, DoesNotRepeatItself) {
  const Bytes a = random_bytes(32);
  EXPECT_EQ(a.size(), 32U);
  EXPECT_FALSE(equal(a, random_bytes(32)));
  EXPECT_FALSE(equal(a, Secret::random(32).expose()));
}

}  // namespace
}  // namespace intact::crypto
