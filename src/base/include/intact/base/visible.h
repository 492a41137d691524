#pragma once

#include <string>
#include <string_view>

namespace intact {

/// Text of unknown origin (names in images, what errors say) as one line that does nothing but
/// show: control characters, bytes that are not UTF-8, and the characters that turn the direction
/// of text or break lines appear as \xNN or \u{NNNN}, a backslash as two.
std::string visible(std::string_view text);

/// The same for a message, whose parts may have come through visible() already: backslashes stay as
/// they are, so that nothing is escaped twice.
std::string visible_message(std::string_view text);

}  // namespace intact
