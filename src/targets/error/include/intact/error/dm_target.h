#pragma once

#include <intact/dm/target.h>

namespace intact::error {

/// The target "error", without arguments: every request fails.
extern const dm::Target kDmTarget;

}  // namespace intact::error
