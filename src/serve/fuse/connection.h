#pragma once

#define FUSE_USE_VERSION 312
#include <cstddef>

#include <fuse_lowlevel.h>

namespace intact::serve {

/// For how many seconds the kernel may cache what it was told. Nothing ever changes, so a day is as
/// good as permanently.
constexpr double kUnchanging = 86400;

/// Requests the settings that suit reads of verified content that never changes. For init handlers.
void set_up_for_verified_reads(fuse_conn_info* connection);

/// Requests a capability if the kernel has it, or declines it.
void want(fuse_conn_info* connection, unsigned capability, bool wanted = true);

/// The thread's own reply buffer of at least `size` bytes, uninitialised.
char* reply_buffer(std::size_t size);

/// Makes all requests that would change anything fail with EROFS. The mounts are read-only, so the
/// kernel refuses them itself; but root can remount.
void refuse_changes(fuse_lowlevel_ops& handlers);

}  // namespace intact::serve
