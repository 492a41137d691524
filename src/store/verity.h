#pragma once

namespace intact::store {

/// Has the kernel protect the file `name` in `dir_fd` by fs-verity (SHA-256, 4096-byte blocks),
/// where the file system can. Nobody may have it open for writing. Whether it worked does not
/// matter here: readers measure the file or verify it themselves. False when this file system
/// cannot, so that trying again is useless.
bool enable_verity(int dir_fd, const char* name);

}  // namespace intact::store
