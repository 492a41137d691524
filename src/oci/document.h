#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/json/json.h>
#include <intact/oci/media_types.h>

namespace intact::oci {

/// Checks what manifests and indexes have in common and what tells them apart, so that no document
/// can be one for us and the other for somebody else (CVE-2021-41190). Returns the media type.
/// `what` is "manifest" or "index", for messages.
Result<std::string> check_document(const Json& json, std::string_view expected_media_type,
                                   MediaType::Kind kind, std::string_view what);

/// The strings of an array; none if it is missing. malformed: another value is in it; limit: it has
/// more than 100,000.
Result<std::vector<std::string>> strings_of(const Json& object, std::string_view key);

}  // namespace intact::oci
