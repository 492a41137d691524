#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/inherited.h>
#include <intact/base/unique_fd.h>

namespace intact {
namespace {

// One test, since what is remembered cannot be forgotten.
TEST(Inherited, OnlyWhatWasOpenAtTheStart) {
  const UniqueFd before(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(check_inherited(before.get() + 100)) << "nothing was remembered";
  remember_inherited_descriptors();
  const UniqueFd after(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(check_inherited(0));
  EXPECT_TRUE(check_inherited(before.get()));
  EXPECT_TRUE(check_inherited(before.get())) << "any number of times";
  const auto refused = check_inherited(after.get());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::invalid_argument);
  EXPECT_FALSE(check_inherited(9999));
}

}  // namespace
}  // namespace intact
