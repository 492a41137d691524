#include "openssl_error.h"

#include <openssl/err.h>

namespace intact::crypto {

Error openssl_error(ErrorKind kind, std::string_view what) {
  std::string message(what);
  const char* const reason = ERR_reason_error_string(ERR_peek_error());
  if (reason) message.append(": ").append(reason);
  ERR_clear_error();
  return Error(kind, std::move(message));
}

}  // namespace intact::crypto
