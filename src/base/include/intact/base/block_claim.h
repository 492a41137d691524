#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact {

/// What is said of a block device that is not ours to write: it has a mounted file system, swap
/// space, or a device of the device mapper or RAID.
Error block_device_in_use();

/// Claims what `fd` is open for, if that is a block device: opens it again, for reading and
/// writing, so that nothing in the kernel can claim it before the descriptor is closed. Returns
/// any other `fd` as it is. busy: block_device_in_use(). One process cannot claim a device twice.
Result<UniqueFd> claim_for_writing(UniqueFd fd);

/// Opens `path` for reading and writing, but does not wait for the writer of a FIFO. A block device
/// is not claimed yet. Errors have the path; busy: block_device_in_use().
Result<UniqueFd> open_unclaimed(const std::string& path);

}  // namespace intact
