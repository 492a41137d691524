#pragma once

#include <optional>

#include <intact/base/digest.h>
#include <intact/base/result.h>

namespace intact::fsverity {

/// The digest of an open file that the kernel enforces at every read (FS_IOC_MEASURE_VERITY), for
/// as long as the file exists: nobody can change the file or disable fs-verity on it. Nothing if
/// the file has no fs-verity or its file system does not support it. unsupported: unknown
/// algorithm.
Result<std::optional<Digest>> measure_file(int fd);

}  // namespace intact::fsverity
