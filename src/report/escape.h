#pragma once

#include <string>
#include <string_view>

namespace intact::report {

/// visible(), for the text of an HTML page and for its quoted attributes.
std::string html(std::string_view text);

/// The same of visible_message(): backslashes stay as they are.
std::string html_message(std::string_view text);

}  // namespace intact::report
