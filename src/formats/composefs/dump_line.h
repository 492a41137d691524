#pragma once

#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/tree/tree.h>

namespace intact::composefs {

/// One line of a dump, checked by itself.
struct DumpLine {
  std::string path;         ///< absolute
  bool hard_link = false;   ///< then only `target` has been looked at
  std::string link_target;  ///< absolute
  tree::Inode inode;
};

/// Parses a line (without its newline). malformed or limit, without the line's number.
Result<DumpLine> parse_dump_line(std::string_view line, bool strict);

}  // namespace intact::composefs
