#pragma once

#include <optional>

#include <intact/base/digest.h>
#include <intact/base/result.h>

namespace intact::fsverity {

/// The digest of an open file that its kernel enforces at every read (FS_IOC_MEASURE_VERITY), for
/// as long as the file exists: nobody can change it or take fs-verity off it. Nothing when the file
/// has no fs-verity or its file system knows none. unsupported: one by an algorithm that we do not
/// have.
Result<std::optional<Digest>> measure_file(int fd);

}  // namespace intact::fsverity
