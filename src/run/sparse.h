#pragma once

#include <cstdint>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

namespace intact::run {

/// Writes `bytes` at `offset`, except for blocks of 4096 bytes (counted from the start of the file)
/// that are all zero: in a new file these stay holes, which take no space. The caller sets the
/// file's size at the end, since a hole there does not. io: as pwrite(2) says.
Result<void> write_sparse(int fd, std::uint64_t offset, ByteSpan bytes);

}  // namespace intact::run
