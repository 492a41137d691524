#pragma once

#include <string_view>

#include <intact/base/result.h>
#include <intact/dm/target.h>

namespace intact::stack {

/// The target of that name. unsupported, with the names of all targets, if there is none.
Result<const dm::Target*> find_target(std::string_view name);

}  // namespace intact::stack
