#pragma once

#include <functional>
#include <string_view>

#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/tree/tree.h>

namespace intact::composefs {

struct DumpOptions {
  /// As mkcomposefs with CFS_PARSE_STRICT: the last line must end with a newline, only devices have
  /// device numbers, and a symlink has no content and the size of its target.
  bool strict = false;
};

/// Parses composefs' text form of a tree (composefs-dump(5)): a line for every name,
///   PATH SIZE MODE NLINK UID GID RDEV MTIME PAYLOAD CONTENT DIGEST [XATTR]...
/// Errors name the line: malformed, or limit for a length that exceeds what an image can hold.
Result<tree::Tree> parse_dump(ByteStream& input, const DumpOptions& options = {});
/// The same, read from the position of a descriptor to its end: a file, or a pipe.
Result<tree::Tree> parse_dump(int fd, const DumpOptions& options = {});

/// Writes a tree in this form, byte for byte as `composefs-info dump` does. `sink` receives pieces
/// of any length in order; its first error ends the dump and is returned.
Result<void> write_dump(const tree::Tree& tree,
                        const std::function<Result<void>(std::string_view)>& sink);

/// Writes the names of a tree, a line each, as `composefs-info ls` does: "PATH/\t", "PATH\t->
/// TARGET", "PATH\t@ PAYLOAD", or the path alone for other names. The root is left out. `sink` as
/// above.
Result<void> write_list(const tree::Tree& tree,
                        const std::function<Result<void>(std::string_view)>& sink);

/// Which characters of a string composefs' tools escape.
enum class Escape {
  standard,    ///< all except graphic ASCII, and '\'
  lone_dash,   ///< also "-" when it is the whole string
  equal_sign,  ///< also '='
  path,        ///< as standard, but spaces are not escaped (for lists)
};

/// Appends `text` with \\, \n, \r, \t and \xHH escapes.
void append_escaped(std::string& out, std::string_view text, Escape escape);

}  // namespace intact::composefs
