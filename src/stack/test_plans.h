#pragma once

// Test support: plans of several formats on one file, and plans as another process gets them.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <intact/integrity/dm_target.h>
#include <intact/integrity/integrity_target.h>
#include <intact/stack/plan.h>
#include <intact/stack/stack.h>
#include <intact/verity/dm_target.h>

namespace intact::stack::testing {

inline constexpr std::size_t kBlock = 4096;

/// As exec would: only what the description names is left. `plan` must not be used again but to be
/// destroyed.
inline Plan passed_on(Plan& plan) {
  const Handover handover = hand_over(plan).value();
  std::vector<std::pair<int, int>> copies;  // each number, and a copy of what it is
  for (const int fd : handover.descriptors)
    copies.emplace_back(fd, ::fcntl(fd, F_DUPFD_CLOEXEC, 500));
  plan = Plan{.name = {}, .file = {}};
  for (const auto& [number, copy] : copies) {
    EXPECT_EQ(::dup3(copy, number, O_CLOEXEC), number);
    ::close(copy);
  }
  return take_over(handover.description).value();
}

inline integrity::Algorithm keyed(const char* name, std::size_t size) {
  return {.name = name,
          .key = std::make_shared<const crypto::Secret>(
              crypto::Secret::copy_of(Bytes(size, std::byte{7})))};
}

}  // namespace intact::stack::testing
