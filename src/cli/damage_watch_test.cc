#include "damage_watch.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace intact::cli {
namespace {

bool readable(int fd) {
  pollfd event = {fd, POLLIN, 0};
  return ::poll(&event, 1, 0) == 1;
}

TEST(DamageWatch, HearsOfWhatAnotherProcessFinds) {
  const auto watch = DamageWatch::create();
  ASSERT_TRUE(watch);
  EXPECT_EQ((*watch)->count(), 0u);
  EXPECT_FALSE(readable((*watch)->event_fd()));
  const pid_t child = ::fork();
  if (child == 0) {
    image::Damage damage;
    damage.object = "objects/aa/bb";
    (*watch)->note(damage);
    (*watch)->note(damage);  // the same block: counted once
    damage.block = 7;
    (*watch)->note(damage);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ((*watch)->count(), 2u);
  EXPECT_TRUE(readable((*watch)->event_fd()));
}

}  // namespace
}  // namespace intact::cli
