#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <intact/report/view.h>

namespace intact::report {

/// One square of a map: some blocks in a row, of one content or several.
struct Cell {
  std::size_t group = 0;  ///< index into BlockMap::groups, of the first block
  std::uint64_t bad_blocks = 0;
  std::size_t bad_content = 0;  ///< the first content with a bad block here; only if there are any
  bool unknown = false;         ///< begins within content of which nothing can be told
};

/// A folder of the image, as the map colours it.
struct Group {
  std::string folder;  ///< "/usr/lib"
  std::uint64_t blocks = 0;
};

/// All blocks of an image on at most a given number of squares. A square with a single bad block
/// among thousands is a bad one, so that no damage is too small to be seen.
struct BlockMap {
  std::uint64_t blocks_per_cell = 1;
  std::uint64_t blocks = 0;
  std::uint64_t bad_blocks = 0;
  std::uint64_t unknown_blocks = 0;  ///< damaged or not, nobody knows
  std::vector<Cell> cells;
  std::vector<Group> groups;
};

BlockMap make_block_map(const std::vector<Content>& contents, std::uint64_t most_cells);

struct TerminalStyle {
  std::size_t columns = 80;
  bool unicode = false;
  bool colour = false;
};
/// What a descriptor can show: the width of its terminal, whether the locale has more than ASCII,
/// and colours unless NO_COLOR is set. Neither of the last two where it is not a terminal. Sets the
/// locale of characters to that of the environment. Not thread-safe.
TerminalStyle style_of(int fd);

/// The map for a terminal, as lines with their ends: a bar for each directory, as long as what is
/// in it, in which damage is marked. Plain ASCII where neither is asked for.
std::string to_terminal(const View& view, const TerminalStyle& style);

}  // namespace intact::report
