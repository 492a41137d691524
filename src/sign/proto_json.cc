#include "proto_json.h"

#include <intact/crypto/base64.h>

namespace intact::sign {

Result<const Json*> find_either(const Json& object, std::string_view camel,
                                std::string_view snake) {
  const Json* const one = TRY(find_member(object, camel));
  if (camel == snake) return one;
  const Json* const other = TRY(find_member(object, snake));
  if (one && other)
    return Error(ErrorKind::malformed,
                 "JSON: both \"" + std::string(camel) + "\" and \"" + std::string(snake) + "\"");
  return one ? one : other;
}

Result<std::string> require_text(const Json& object, std::string_view camel,
                                 std::string_view snake) {
  const Json* const member = TRY(find_either(object, camel, snake));
  if (!member || !member->is_string())
    return Error(ErrorKind::malformed,
                 "JSON: \"" + std::string(camel) + "\" is missing or not a string");
  return member->get<std::string>();
}

Result<Bytes> require_bytes(const Json& object, std::string_view camel, std::string_view snake) {
  return crypto::decode_base64(TRY(require_text(object, camel, snake))).context(camel);
}

}  // namespace intact::sign
