#include <cerrno>

#include <intact/base/error.h>

namespace intact {

ErrorKind kind_of_errno(int sys_errno) {
  switch (sys_errno) {
    case ENOENT:
      return ErrorKind::not_found;
    case EEXIST:
      return ErrorKind::exists;
    case EBUSY:
    case EADDRINUSE:
      return ErrorKind::busy;
    default:
      return ErrorKind::io;
  }
}

bool Error::concerns_caller() const {
  switch (sys_errno_) {
    case EACCES:
    case EPERM:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return true;
    default:
      return false;
  }
}

int errno_of_content(const Error& error) {
  switch (error.sys_errno()) {
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case ENFILE:
      return error.sys_errno();
    case EMFILE:
      return ENFILE;
    default:
      return EIO;
  }
}

int errno_of_metadata(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::not_found:
      return ENOENT;
    case ErrorKind::invalid_argument:
      return EINVAL;
    case ErrorKind::unsupported:
      return EOPNOTSUPP;
    default:
      return errno_of_content(error);
  }
}

int exit_status(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::io:
    case ErrorKind::exists:
    case ErrorKind::cancelled:
      return 1;
    case ErrorKind::invalid_argument:
      return 2;
    case ErrorKind::tampered:
      return 3;
    case ErrorKind::bad_secret:
      return 4;
    case ErrorKind::untrusted:
      return 5;
    case ErrorKind::malformed:
    case ErrorKind::unsupported:
    case ErrorKind::limit:
      return 6;
    case ErrorKind::not_found:
      return 7;
    case ErrorKind::busy:
      return 8;
  }
  return 1;
}

}  // namespace intact
