#pragma once

#include <string>
#include <string_view>

namespace intact::console {

/// Text as roff wants it: what stands between backquotes in bold, backslashes escaped, nothing
/// taken for a request at the start of a line.
std::string roff_text(std::string_view text);
/// The same for what is typed: dashes stay dashes that can be copied.
std::string roff_code(std::string_view text);

/// Markdown to the man macros, as much of it as docs/man needs:
///
///     ## HEADING            a section
///     `typed`, *variable*   bold, italic
///     - item                a list; `term`: text becomes a tagged paragraph
///         indented          as it stands, for examples
///
/// Paragraphs are parted by empty lines. Anything else is plain text.
std::string roff_from_markdown(std::string_view markdown);

}  // namespace intact::console
