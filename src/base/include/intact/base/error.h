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

}  // namespace intact
