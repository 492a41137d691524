#include <algorithm>
#include <map>

#include <fmt/format.h>

#include <intact/base/visible.h>
#include <intact/report/block_map.h>

namespace intact::report {
namespace {

/// "/usr/lib" of "/usr/lib/python3/os.py"; "/" for what lies in the root.
std::string folder_of(const std::string& path) {
  const std::size_t second = path.find('/', 1);
  if (second == std::string::npos) return "/";
  const std::size_t third = path.find('/', second + 1);
  return path.substr(0, third == std::string::npos ? second : third);
}

}  // namespace

BlockMap make_block_map(const std::vector<Content>& contents, std::uint64_t most_cells) {
  BlockMap map;
  for (const Content& content : contents) map.blocks += content.blocks;
  if (map.blocks == 0) return map;
  map.blocks_per_cell = (map.blocks + most_cells - 1) / most_cells;
  map.cells.resize((map.blocks + map.blocks_per_cell - 1) / map.blocks_per_cell);
  std::map<std::string, std::size_t> group_of;
  std::uint64_t begin = 0;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const Content& content = contents[i];
    const std::string folder = folder_of(content.path);
    const auto [found, added] = group_of.try_emplace(folder, map.groups.size());
    if (added) map.groups.push_back({folder, 0});
    map.groups[found->second].blocks += content.blocks;
    // Squares whose first block is ours.
    const std::uint64_t first = (begin + map.blocks_per_cell - 1) / map.blocks_per_cell;
    for (std::uint64_t cell = first; cell * map.blocks_per_cell < begin + content.blocks; ++cell)
      map.cells[cell].group = found->second;
    for (const std::uint64_t block : content.bad_blocks) {
      // An object of the wrong size may have bad blocks behind its end.
      const std::uint64_t at = begin + std::min(block, content.blocks - 1);
      Cell& cell = map.cells[at / map.blocks_per_cell];
      if (cell.bad_blocks++ == 0) cell.bad_content = i;
      ++map.bad_blocks;
    }
    begin += content.blocks;
  }
  return map;
}

std::string to_terminal(const View& view, const TerminalStyle& style) {
  constexpr std::size_t kLabel = 16;
  constexpr std::size_t kMostRows = 20;
  const std::size_t columns = std::clamp<std::size_t>(style.columns, 40, 120) - kLabel - 2;
  const BlockMap map = make_block_map(view.contents, columns * kMostRows);
  if (map.cells.empty()) return "";
  const std::string good = style.unicode ? "\u25aa" : ".";
  const std::string bad = style.unicode ? "\u2588" : "X";
  std::string out;
  std::size_t last_group = map.groups.size();
  for (std::size_t row = 0; row < map.cells.size(); row += columns) {
    // Each row begins with the folder that it is in, where that is a new one.
    const std::size_t group = map.cells[row].group;
    std::string label = group == last_group ? "" : visible(map.groups[group].folder);
    last_group = group;
    if (label.size() > kLabel) label = label.substr(0, kLabel - 2) + "..";
    // Cutting may have halved a character.
    if (visible(label) != label && label.find('\\') == std::string::npos) label = "..";
    out += fmt::format("{:<{}} ", label, kLabel);
    for (std::size_t i = row; i < std::min(row + columns, map.cells.size()); ++i) {
      const bool is_bad = map.cells[i].bad_blocks > 0;
      if (style.colour) out += is_bad ? "\x1b[1;31m" : "\x1b[2;32m";
      out += is_bad ? bad : good;
      if (style.colour) out += "\x1b[0m";
    }
    out += '\n';
  }
  out += fmt::format("{} {} block{} of 4096 bytes; {} {}\n", good, map.blocks_per_cell,
                     map.blocks_per_cell == 1 ? "" : "s", bad,
                     map.bad_blocks == 0
                         ? "would be damage: there is none"
                         : fmt::format("has damage: {} of {} blocks", map.bad_blocks, map.blocks));
  return out;
}

}  // namespace intact::report
