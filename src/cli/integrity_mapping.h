#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/stack/volume.h>

namespace intact::cli {

/// Has the kernel make a dm-integrity device, with loop devices for plain files, after the same
/// checks as without the kernel. What integritysetup shows and closes is what it would have made.
/// Errors as of create_mapping.
Result<void> map_integrity(const std::string& name, const stack::File& data,
                           const stack::IntegrityLayer& layer);

}  // namespace intact::cli
