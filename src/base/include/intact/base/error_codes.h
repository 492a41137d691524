#pragma once

#include <intact/base/error.h>

namespace intact {

// The tables between kinds of errors and the codes of others: one each, for all front ends.

/// What the caller can do about a system call that failed: ENOENT is not_found, EEXIST exists,
/// EBUSY and EADDRINUSE busy, everything else io.
ErrorKind kind_of_errno(int sys_errno);

/// What a front end (FUSE, NBD) answers when contents cannot be read or written. Shortages are
/// passed on, since they pass and the user may be able to do something about them: ENOSPC, EDQUOT,
/// ENOMEM and ENFILE, which stands for EMFILE as well, because that would name a limit of the
/// user's own process. Everything else is EIO, and the log explains it.
int errno_of_content(const Error& error);

/// The same for names and attributes, where not_found (ENOENT), invalid_argument (EINVAL) and
/// unsupported (EOPNOTSUPP) are answers.
int errno_of_metadata(const Error& error);

/// The exit status of a command, and of a server, that ends with this error: 1 failed, 2 wrong
/// usage, 3 tampered, 4 wrong key, 5 untrusted, 6 unsupported or malformed, 7 not found, 8 busy.
int exit_status(const Error& error);

}  // namespace intact
