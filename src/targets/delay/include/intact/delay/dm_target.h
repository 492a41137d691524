#pragma once

#include <intact/dm/target.h>

namespace intact::delay {

/// The target "delay", a part of a device whose requests take longer
/// (Documentation/admin-guide/device-mapper/delay.rst):
///     DEVICE START DELAY [WRITE_DEVICE START DELAY [FLUSH_DEVICE START DELAY]]
/// DELAY in milliseconds. Without the second part the first is for writes too, and without the
/// third the second is for flushes.
extern const dm::Target kDmTarget;

}  // namespace intact::delay
