#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include <intact/base/visible.h>
#include <intact/report/view.h>

namespace intact::report {
namespace {

/// "/usr/lib" of "/usr/lib/python3/os.py"; "/" for what is in the root.
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
      map.cells[cell] = {.group = found->second, .unknown = content.unknown};
    if (content.unknown) map.unknown_blocks += content.blocks - content.bad_blocks.size();
    for (const std::uint64_t block : content.bad_blocks) {
      // An object of the wrong size may have bad blocks after its end.
      const std::uint64_t at = begin + std::min(block, content.blocks - 1);
      Cell& cell = map.cells[at / map.blocks_per_cell];
      if (cell.bad_blocks++ == 0) cell.bad_content = i;
      ++map.bad_blocks;
    }
    begin += content.blocks;
  }
  return map;
}

namespace {

constexpr std::size_t kMaxBars = 20;
constexpr std::size_t kLabel = 20;
constexpr std::size_t kNote = 22;  // " 123.4 MB  12345 bad"

/// A directory with its contents, in order.
struct Bar {
  std::string label;
  std::vector<Content> contents;
  std::uint64_t blocks = 0;
  std::uint64_t bad_blocks = 0;
  bool unknown = false;
};

/// The damaged directories, then the largest ones; the others share the last bar.
std::vector<Bar> make_bars(const std::vector<Content>& contents) {
  std::vector<Bar> bars;
  std::map<std::string, std::size_t> by_folder;
  for (const Content& content : contents) {
    const auto [found, added] = by_folder.try_emplace(folder_of(content.path), bars.size());
    if (added) bars.push_back({.label = visible(found->first), .contents = {}});
    Bar& bar = bars[found->second];
    bar.contents.push_back(content);
    bar.blocks += content.blocks;
    bar.bad_blocks += content.bad_blocks.size();
    bar.unknown = bar.unknown || content.unknown;
  }
  if (bars.size() <= kMaxBars) return bars;
  std::ranges::sort(bars, [](const Bar& a, const Bar& b) {
    return std::tuple(b.bad_blocks > 0, b.blocks, std::string_view(a.label)) <
           std::tuple(a.bad_blocks > 0, a.blocks, std::string_view(b.label));
  });
  Bar rest{.label = "elsewhere", .contents = {}};
  for (std::size_t i = kMaxBars - 1; i < bars.size(); ++i) {
    rest.contents.insert(rest.contents.end(), bars[i].contents.begin(), bars[i].contents.end());
    rest.blocks += bars[i].blocks;
    rest.bad_blocks += bars[i].bad_blocks;
    rest.unknown = rest.unknown || bars[i].unknown;
  }
  bars.resize(kMaxBars - 1);
  std::ranges::sort(bars, {}, &Bar::label);
  bars.push_back(std::move(rest));
  return bars;
}

/// The start of a path, cut between characters, in so many columns.
std::string fitted(const std::string& label) {
  if (label.size() <= kLabel) return label;
  std::size_t end = kLabel - 2;
  while (end > 0 && (label[end] & 0xc0) == 0x80) --end;
  return label.substr(0, end) + "..";
}

std::string size_note(const Bar& bar) {
  double megabytes = static_cast<double>(bar.blocks) * 4096 / 1e6;
  const bool giga = megabytes >= 1000;
  const std::string size =
      fmt::format("{:.1f} {}", giga ? megabytes / 1000 : megabytes, giga ? "GB" : "MB");
  std::string note = fmt::format(" {:>8}", size);
  if (bar.unknown) {
    note += "  unknown";
  } else if (bar.bad_blocks > 0) {
    note += fmt::format("  {} bad", bar.bad_blocks);
  }
  return note;
}

struct Marks {
  std::string good, bad, unknown;
};

std::string bar_text(const Bar& bar, std::uint64_t blocks_per_mark, const Marks& marks,
                     bool colour) {
  const BlockMap map = make_block_map(
      bar.contents,
      std::max<std::uint64_t>(1, (bar.blocks + blocks_per_mark - 1) / blocks_per_mark));
  std::string out;
  for (const Cell& cell : map.cells) {
    const bool is_bad = cell.bad_blocks > 0;
    const bool is_unknown = cell.unknown && !is_bad;
    if (colour) out += is_bad ? "\x1b[1;31m" : is_unknown ? "\x1b[33m" : "\x1b[2;32m";
    out += is_bad ? marks.bad : is_unknown ? marks.unknown : marks.good;
    if (colour) out += "\x1b[0m";
  }
  for (std::size_t i = map.cells.size(); i * blocks_per_mark < bar.blocks; ++i) out += ' ';
  return out;
}

}  // namespace

std::string to_terminal(const View& view, const TerminalStyle& style) {
  const std::vector<Bar> bars = make_bars(view.contents);
  if (bars.empty()) return "";
  const std::size_t columns = std::clamp<std::size_t>(style.columns, 56, 120);
  const std::size_t room = columns - 1 - kLabel - 1 - kNote;
  std::uint64_t largest = 1;
  std::uint64_t blocks = 0;
  std::uint64_t bad_blocks = 0;
  bool unknown = false;
  for (const Bar& bar : bars) {
    largest = std::max(largest, bar.blocks);
    blocks += bar.blocks;
    bad_blocks += bar.bad_blocks;
    unknown = unknown || bar.unknown;
  }
  const std::uint64_t per_mark = (largest + room - 1) / room;
  const Marks marks = style.unicode ? Marks{"\u25aa", "\u2588", "\u2591"} : Marks{".", "X", "?"};
  std::string out;
  for (const Bar& bar : bars) {
    const auto width = static_cast<std::size_t>((bar.blocks + per_mark - 1) / per_mark);
    const std::string label = fitted(bar.label);
    const auto columns_of_label = static_cast<std::size_t>(
        std::ranges::count_if(label, [](char c) { return (c & 0xc0) != 0x80; }));
    out += label + std::string(kLabel + 1 - std::min(columns_of_label, kLabel), ' ') +
           bar_text(bar, per_mark, marks, style.colour) +
           std::string(room - std::min(room, width), ' ') + size_note(bar) + "\n";
  }
  out +=
      fmt::format("{} {} block{} of 4096 bytes; ", marks.good, per_mark, per_mark == 1 ? "" : "s");
  if (bad_blocks == 0) return out + marks.bad + " marks damage: there is none\n";
  if (!unknown)
    return out + fmt::format("{} has damage: {} of {} blocks\n", marks.bad, bad_blocks, blocks);
  return out + fmt::format("{} damaged, {} unknown from there on\n", marks.bad, marks.unknown);
}

}  // namespace intact::report
