#pragma once

#define FUSE_USE_VERSION 312
#include <cstddef>

#include <fuse_lowlevel.h>

namespace intact::serve {

/// For how many seconds the kernel may believe what it was told. Nothing ever changes: a day is as
/// good as for ever.
constexpr double kUnchanging = 86400;

/// Asks the kernel for what suits reads of verified content that never changes. For init handlers.
void set_up_for_verified_reads(fuse_conn_info* connection);

/// Asks for a capability if the kernel has it, or declines it.
void want(fuse_conn_info* connection, unsigned capability, bool wanted = true);

/// The thread's own reply buffer of at least `size` bytes, uninitialised.
char* reply_buffer(std::size_t size);

/// Has whatever would change anything answered with EROFS. The mounts are read-only, so the kernel
/// refuses it itself; but root can remount them.
void refuse_changes(fuse_lowlevel_ops& handlers);

}  // namespace intact::serve
