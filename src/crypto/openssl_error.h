#pragma once

#include <string>
#include <string_view>

#include <intact/base/error.h>

namespace intact::crypto {

/// An error with the reason of OpenSSL's last failure in this thread, whose queue is emptied.
Error openssl_error(ErrorKind kind, std::string_view what);

}  // namespace intact::crypto
