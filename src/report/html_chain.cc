#include <algorithm>

#include <fmt/format.h>

#include "escape.h"
#include "html_parts.h"

namespace intact::report {
namespace {

/// The first few names, and how many there are.
std::string names_text(const std::vector<std::string>& names) {
  constexpr std::size_t kMax = 8;
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), kMax); ++i)
    out += (out.empty() ? "" : ", ") + html(names[i]);
  if (names.size() > kMax) out += fmt::format(" and {} more", number_text(names.size() - kMax));
  return out;
}

/// Block numbers as ranges, "0, 366-370", not too many of them.
std::string ranges(const std::vector<std::uint64_t>& blocks) {
  constexpr std::size_t kMax = 12;
  std::string out;
  std::size_t shown = 0;
  for (std::size_t i = 0; i < blocks.size();) {
    std::size_t end = i + 1;
    while (end < blocks.size() && blocks[end] == blocks[end - 1] + 1) ++end;
    if (++shown > kMax) return out + ", &hellip;";
    out += (out.empty() ? "" : ", ") + number_text(blocks[i]);
    if (end - i > 1) out += "&ndash;" + number_text(blocks[end - 1]);
    i = end;
  }
  return out;
}

}  // namespace

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  const char* const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  std::size_t unit = 0;
  for (value /= 1000; value >= 999.95 && unit + 1 < std::size(units); ++unit) value /= 1000;
  return fmt::format("{:.1f} {}", value, units[unit]);
}

std::string number_text(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

std::string chain_section(const View& view) {
  std::string out = "<h2>Chain of trust</h2>\n<ol class=\"card chain\">\n";
  for (const Link& link : view.chain) {
    const bool good = link.status == Link::Status::good;
    const bool bad = link.status == Link::Status::bad;
    out += fmt::format(
        "<li class=\"{}\"><span class=\"mark\">{}</span><b>{}</b><div>{}<p>{}</p></div></li>\n",
        good  ? "good"
        : bad ? "bad"
              : "off",
        good  ? "&#10003;"
        : bad ? "&#10007;"
              : "&middot;",
        html(link.title), link.value.empty() ? "" : "<code>" + html(link.value) + "</code>",
        html(link.detail));
  }
  return out + "</ol>\n";
}

std::string damage_section(const View& view) {
  if (view.damage.empty()) return "";
  // Thousands of rows say no more than the first; the map and the tree show all of it.
  constexpr std::size_t kMax = 500;
  std::string out =
      "<h2>Damage</h2>\n<div class=\"card\"><table><tr><th>File</th><th>Bad blocks, counted from "
      "0</th><th>Size in blocks</th><th>Object</th><th>Also in</th></tr>\n";
  std::size_t shown = 0;
  for (std::size_t i = 0; i < view.rows.size() && shown < kMax; ++i) {
    const Row& row = view.rows[i];
    if (row.content == Row::kNone || row.damaged == 0) continue;
    const Content& content = view.contents[row.content];
    ++shown;
    // The row's own path: other names of the content are rows of their own.
    std::string path = row.name;
    std::size_t depth = row.depth;
    for (std::size_t j = i; j > 0 && depth > 1; --j) {
      if (view.rows[j - 1].depth != depth - 1) continue;
      path.insert(0, view.rows[j - 1].name + "/");
      --depth;
    }
    out += fmt::format(
        "<tr><td><a class=\"mono\" href=\"#r{}\">{}</a></td><td class=\"mono\">{}</td>"
        "<td class=\"n mono\">{}</td><td class=\"mono\">{}</td><td>{}</td></tr>\n",
        i, html("/" + path), ranges(content.bad_blocks), number_text(content.blocks),
        html(content.object), names_text(content.also_in));
  }
  for (const Damage& damage : view.damage) {
    if (!damage.path.empty() || shown++ >= kMax) continue;
    out += fmt::format(
        "<tr><td>{}</td><td class=\"mono\">{}</td><td></td><td "
        "class=\"mono\">{}<br>{}</td><td></td></tr>\n",
        view.from_layers ? "Layer" : "Metadata",
        damage.range ? number_text(damage.range->first) : "unknown", html(damage.object),
        html(damage.reason));
  }
  if (shown >= kMax) out += "<tr><td colspan=\"5\">and more</td></tr>\n";
  return out + "</table></div>\n";
}

}  // namespace intact::report
