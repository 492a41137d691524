#include <cstring>

#include <intact/base/error.h>

namespace intact {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::io:
      return "io";
    case ErrorKind::malformed:
      return "malformed";
    case ErrorKind::tampered:
      return "tampered";
    case ErrorKind::bad_secret:
      return "bad_secret";
    case ErrorKind::untrusted:
      return "untrusted";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::invalid_argument:
      return "invalid_argument";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::exists:
      return "exists";
    case ErrorKind::busy:
      return "busy";
    case ErrorKind::limit:
      return "limit";
    case ErrorKind::cancelled:
      return "cancelled";
  }
  return "unknown";
}

Error Error::from_errno(std::string message, int sys_errno) {
  char buffer[128];
  message += ": ";
  message += strerror_r(sys_errno, buffer, sizeof buffer);
  return Error(kind_of_errno(sys_errno), std::move(message), sys_errno);
}

Error Error::with_context(std::string_view context) && {
  std::string message(context);
  message += ": ";
  message += message_;
  return Error(kind_, std::move(message), sys_errno_);
}

}  // namespace intact
