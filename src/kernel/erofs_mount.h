#pragma once

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::kernel {

/// The EROFS image in that open file, mounted read-only and attached nowhere; the mount ends with
/// the descriptor. `attributes` are MOUNT_ATTR_* of fsmount(2). `file_backed`: try to mount the
/// file itself (Linux 6.12) before a loop device.
Result<UniqueFd> mount_erofs(int image, unsigned attributes, bool file_backed);

}  // namespace intact::kernel
