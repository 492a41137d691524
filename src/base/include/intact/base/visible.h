#pragma once

#include <string>
#include <string_view>

namespace intact {

/// Makes text of unknown origin (a name in an image, an error) safe to print: the result is one
/// line of UTF-8 that a terminal shows and never obeys. Control characters (C0, DEL, C1) and bytes
/// that are not UTF-8 become \xNN or \u{NNNN}, and so do line separators, characters that change
/// the direction of text and characters that have no width, which could make two names look alike.
/// A backslash becomes two, so that different texts stay different.
///
/// Every name, path, label or message that reaches a terminal, a log or a report goes through this
/// function or through visible_message().
std::string visible(std::string_view text);

/// The same for a message, parts of which may have gone through visible() already: backslashes stay
/// as they are, so that nothing is escaped twice.
std::string visible_message(std::string_view text);

}  // namespace intact
