#pragma once

#include <string>
#include <string_view>

namespace intact::sign {

/// A JSON string as Go's encoder writes it, so that our payloads are those of cosign and notation
/// to the byte: HTML's special characters and the two Unicode line ends are escaped.
std::string go_quote(std::string_view text);

}  // namespace intact::sign
