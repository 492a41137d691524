#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/stack/plan.h>

namespace intact::kernel {

/// Makes the kernel create a device-mapper device for each table of a plan: `name` for the
/// uppermost, NAME-1 for the lowest, NAME-2 and so on for those between, with loop devices for
/// plain files. The stack is opened here first, read-only, with all checks, and the kernel is told
/// what was found. The lower devices go with the uppermost, whatever closes it; none is left if one
/// cannot be created. The UUID of each table gets the name of its device at its end.
///
/// invalid_argument: no tables. busy: a device of that name exists. unsupported: the kernel lacks a
/// target, would have to write to a read-only device, or would trust what is checked here.
/// Otherwise errors of stack::open() and create_mapping().
Result<void> create_device_stack(const std::string& name, stack::Plan& plan);

}  // namespace intact::kernel
