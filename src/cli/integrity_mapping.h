#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/stack/volume.h>

namespace intact::cli {

/// Lets the kernel open a dm-integrity device, with loop devices for plain files, after the same
/// checks as without the kernel. integritysetup can show and close the result. Errors as of
/// create_mapping; unsupported, with a key, for what our own open refuses or verifies and the
/// kernel would trust: a bitmap that marks regions.
Result<void> map_integrity(const std::string& name, const stack::File& data,
                           const stack::IntegrityLayer& layer);

}  // namespace intact::cli
