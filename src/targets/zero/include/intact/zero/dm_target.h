#pragma once

#include <intact/dm/target.h>

namespace intact::zero {

/// The target "zero", without arguments: reads give zeros, and what is written is dropped
/// (Documentation/admin-guide/device-mapper/zero.rst).
extern const dm::Target kDmTarget;

}  // namespace intact::zero
