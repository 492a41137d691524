#pragma once

#include <string>
#include <string_view>

namespace intact {

/// What the caller can do about an error. Each front end has one table from these to its own codes
/// (exit status, errno), so the kinds stay few and mean the same everywhere.
enum class ErrorKind {
  io,                ///< the system failed: disk, network, memory; errno says how
  malformed,         ///< the bytes cannot be what they claim to be
  tampered,          ///< the bytes fail their digest, hash tree or tag
  bad_secret,        ///< wrong key or passphrase
  untrusted,         ///< no signature, a bad one, or the policy refuses it
  unsupported,       ///< well-formed, but a feature that we do not handle
  invalid_argument,  ///< the caller asked for something that makes no sense
  not_found,
  exists,
  busy,
  limit,      ///< well-formed, but over a limit that protects us
  cancelled,  ///< stopped on request
};

std::string_view to_string(ErrorKind kind);

/// A failure with enough context to act upon. Cheap to move; copied only on purpose.
class Error {
 public:
  Error(ErrorKind kind, std::string message, int sys_errno = 0)
      : kind_(kind), sys_errno_(sys_errno), message_(std::move(message)) {}

  /// An error of the system call that has just failed: "MESSAGE: No such file or directory".
  /// ENOENT becomes not_found, EEXIST exists, EBUSY busy, everything else io.
  static Error from_errno(std::string message, int sys_errno);

  ErrorKind kind() const { return kind_; }
  int sys_errno() const { return sys_errno_; }
  const std::string& message() const { return message_; }
  /// Whether the reason is the caller and not the thing that was asked for: no permission, or no
  /// descriptors, memory or disk space left. Such an error is never evidence of damage.
  bool concerns_caller() const;

  /// The same error with "CONTEXT: " before its message: what was being done, to what.
  Error with_context(std::string_view context) &&;

 private:
  ErrorKind kind_;
  int sys_errno_;
  std::string message_;
};

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
