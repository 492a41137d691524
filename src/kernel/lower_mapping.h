#pragma once

#include <sys/types.h>

#include <intact/base/result.h>
#include <intact/kernel/device_mapper.h>

namespace intact::kernel {

/// The same as create_mapping() for a device that only the next one in a stack is to use: udev, and
/// what it informs about devices, does not look at its content, which nothing has verified yet.
/// Returns the number of the device.
Result<dev_t> create_lower_mapping(const Mapping& mapping);

}  // namespace intact::kernel
