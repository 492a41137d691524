#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/stack/plan.h>

namespace intact::stack {

/// A description for another process, and the descriptors that it names by number: see
/// dm::Names::pass_on(). It contains no keys.
struct Handover {
  std::string description;
  std::vector<int> descriptors;  ///< of the plan's names
};
/// Only once for a plan.
Result<Handover> hand_over(Plan& plan);

/// The other end of hand_over(). malformed.
Result<Plan> take_over(std::string_view description);

}  // namespace intact::stack
