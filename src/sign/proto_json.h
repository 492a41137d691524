#pragma once

#include <string>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/json/json.h>

namespace intact::sign {

/// A member of a message in protobuf's JSON, which may be spelled in camel case or in snake case: a
/// null pointer when absent, malformed when it is there in both spellings.
Result<const Json*> find_either(const Json& object, std::string_view camel, std::string_view snake);
/// A string, which must be there.
Result<std::string> require_text(const Json& object, std::string_view camel,
                                 std::string_view snake);
/// The same with bytes in it, in standard base64.
Result<Bytes> require_bytes(const Json& object, std::string_view camel, std::string_view snake);

}  // namespace intact::sign
