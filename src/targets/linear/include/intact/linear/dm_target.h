#pragma once

#include <intact/dm/target.h>

namespace intact::linear {

/// The target "linear", a part of another device: DEVICE START, in sectors
/// (Documentation/admin-guide/device-mapper/linear.rst).
extern const dm::Target kDmTarget;

}  // namespace intact::linear
