#include <fmt/format.h>

#include <intact/base/visible.h>
#include <intact/delay/dm_target.h>
#include <intact/error/dm_target.h>
#include <intact/flakey/dm_target.h>
#include <intact/integrity/dm_target.h>
#include <intact/linear/dm_target.h>
#include <intact/stack/stack.h>
#include <intact/verity/dm_target.h>
#include <intact/zero/dm_target.h>

namespace intact::stack {
namespace {

/// All of them: a new one is one line here.
constexpr const dm::Target* kTargets[] = {
    &linear::kDmTarget, &zero::kDmTarget,   &error::kDmTarget,     &delay::kDmTarget,
    &flakey::kDmTarget, &verity::kDmTarget, &integrity::kDmTarget,
};

}  // namespace

Result<const dm::Target*> find_target(std::string_view name) {
  std::string known;
  for (const dm::Target* const target : kTargets) {
    if (target->name == name) return target;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", target->name);
  }
  return Error(ErrorKind::unsupported,
               fmt::format("{}: unknown target; known are {}", dm::quoted(name), known));
}

}  // namespace intact::stack
