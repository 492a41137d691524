#pragma once

#include <functional>
#include <string_view>

#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/tree/tree.h>

namespace intact::composefs {

struct DumpOptions {
  /// As mkcomposefs with CFS_PARSE_STRICT: the last line must end, devices numbers stand at devices
  /// only, a symlink's size is that of its target and it has no content.
  bool strict = false;
};

/// Parses composefs' text form of a tree (composefs-dump(5)): a line for every name,
///   PATH SIZE MODE NLINK UID GID RDEV MTIME PAYLOAD CONTENT DIGEST [XATTR]...
/// Errors name the line: malformed, or limit where a length is over what images can hold.
Result<tree::Tree> parse_dump(ByteStream& input, const DumpOptions& options = {});

/// Writes a tree in that form, byte for byte as `composefs-info dump` does. `sink` gets pieces of
/// any length in order; its first error ends the dump and is returned.
Result<void> write_dump(const tree::Tree& tree,
                        const std::function<Result<void>(std::string_view)>& sink);

/// How much of a string composefs' tools print as it is.
enum class Escape {
  standard,    ///< all but graphic ASCII and '\'
  lone_dash,   ///< and "-" when it is the whole
  equal_sign,  ///< and '='
  path,        ///< standard, with spaces as they are (for lists)
};

/// Appends `text` with \\, \n, \r, \t and \xHH escapes.
void append_escaped(std::string& out, std::string_view text, Escape escape);

}  // namespace intact::composefs
