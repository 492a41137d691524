#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include <intact/report/view.h>

#include "escape.h"
#include "html_parts.h"

namespace intact::report {
namespace {

constexpr std::size_t kColumns = 120;
constexpr std::size_t kMaxRows = 44;
constexpr std::size_t kCell = 8;
constexpr std::size_t kColours = 8;

/// A colour for each folder: the largest ones have one of their own, the others share the last.
std::vector<std::size_t> colours_of(const BlockMap& map, std::vector<std::size_t>& by_size) {
  by_size.resize(map.groups.size());
  std::iota(by_size.begin(), by_size.end(), 0U);
  std::ranges::sort(by_size, [&](std::size_t a, std::size_t b) {
    const auto left = map.groups[a].blocks, right = map.groups[b].blocks;
    return left != right ? left > right : a < b;
  });
  std::vector<std::size_t> colours(map.groups.size());
  for (std::size_t i = 0; i < by_size.size(); ++i) colours[by_size[i]] = std::min(i, kColours - 1);
  return colours;
}

std::string squares(const BlockMap& map, const std::vector<std::size_t>& colours) {
  std::string out;
  // Neighbours of one colour in a row are one rectangle.
  const auto style_of = [&](const Cell& cell) {
    return cell.unknown ? std::string("u") : fmt::format("g{}", colours[cell.group]);
  };
  for (std::size_t i = 0; i < map.cells.size();) {
    const std::string style = style_of(map.cells[i]);
    const std::size_t row_end = (i / kColumns + 1) * kColumns;
    std::size_t end = i + 1;
    while (end < std::min(row_end, map.cells.size()) && style_of(map.cells[end]) == style) ++end;
    out += fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>", style,
                       i % kColumns * kCell, i / kColumns * kCell, (end - i) * kCell, kCell);
    i = end;
  }
  return out;
}

std::string bad_squares(const View& view, const BlockMap& map) {
  std::string out;
  const auto bad = std::count_if(map.cells.begin(), map.cells.end(),
                                 [](const Cell& cell) { return cell.bad_blocks > 0; });
  // A ring draws the eye to a few squares, and hides everything around many.
  const bool rings = bad <= 40;
  for (std::size_t i = 0; i < map.cells.size(); ++i) {
    const Cell& cell = map.cells[i];
    if (cell.bad_blocks == 0) continue;
    const std::size_t x = i % kColumns * kCell;
    const std::size_t y = i / kColumns * kCell;
    out += fmt::format(
        "<g><title>{}: {} damaged</title><rect class=\"x\" x=\"{}\" y=\"{}\" width=\"{}\" "
        "height=\"{}\"/>",
        html(view.contents[cell.bad_content].path), number_text(cell.bad_blocks), x, y, kCell,
        kCell);
    if (rings)
      out += fmt::format("<circle class=\"ring\" cx=\"{}\" cy=\"{}\" r=\"10\"/>", x + kCell / 2,
                         y + kCell / 2);
    out += "</g>";
  }
  return out;
}

}  // namespace

std::string map_section(const View& view) {
  const BlockMap map = make_block_map(view.contents, kColumns * kMaxRows);
  if (map.cells.empty()) return "";
  std::vector<std::size_t> by_size;
  const std::vector<std::size_t> colours = colours_of(map, by_size);
  const std::size_t rows = (map.cells.size() + kColumns - 1) / kColumns;
  const std::size_t width = kColumns * kCell;
  const std::size_t height = rows * kCell;
  std::string out = fmt::format(
      "<h2>Map of blocks<small>{} blocks of 4096 bytes; one square for every {}</small></h2>\n"
      "<div class=\"card map\">"
      // Room for the rings of the squares at the edges.
      "<svg viewBox=\"-8 -8 {} {}\" role=\"img\" aria-label=\"{} of {} blocks are damaged\">",
      number_text(map.blocks), number_text(map.blocks_per_cell), width + 16, height + 16,
      map.bad_blocks, map.blocks);
  out += squares(map, colours);
  std::string lines;
  for (std::size_t i = 1; i < kColumns; ++i) lines += fmt::format("M{} 0v{}", i * kCell, height);
  for (std::size_t i = 1; i < rows; ++i) lines += fmt::format("M0 {}h{}", i * kCell, width);
  out += "<path class=\"grid\" d=\"" + lines + "\"/>" + bad_squares(view, map) + "</svg>\n";

  out += "<ul class=\"legend\">";
  std::uint64_t others = 0;
  const auto chip = [&](const std::string& style, const std::string& text) {
    out += "<li><svg viewBox=\"0 0 1 1\"><rect class=\"" + style +
           "\" width=\"1\" height=\"1\"/></svg>" + text + "</li>";
  };
  for (std::size_t i = 0; i < by_size.size(); ++i) {
    const Group& group = map.groups[by_size[i]];
    if (i + 1 < kColours || by_size.size() == kColours) {
      chip(fmt::format("g{}", i), html(group.folder) + " " + size_text(group.blocks * 4096));
    } else {
      others += group.blocks;
    }
  }
  if (others > 0) chip(fmt::format("g{}", kColours - 1), "elsewhere " + size_text(others * 4096));
  if (map.unknown_blocks > 0) {
    chip("x", "damaged");
    chip("u", "unknown from there on " + size_text(map.unknown_blocks * 4096));
  } else if (map.bad_blocks > 0) {
    chip("x", number_text(map.bad_blocks) + " damaged");
  }
  return out + "</ul></div>\n";
}

}  // namespace intact::report
