#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>

#include "escape.h"
#include "html_parts.h"

namespace intact::report {
namespace {

/// What follows a name that is neither a directory nor a plain file.
std::string type_text(const Row& row) {
  if (S_ISLNK(row.mode)) return " <span class=\"t\">&rarr; " + html(row.target) + "</span>";
  if (S_ISCHR(row.mode) || S_ISBLK(row.mode)) return " <span class=\"t\">device</span>";
  if (S_ISFIFO(row.mode)) return " <span class=\"t\">pipe</span>";
  if (S_ISSOCK(row.mode)) return " <span class=\"t\">socket</span>";
  return "";
}

std::string directory_line(const Row& row) {
  const std::string badge =
      row.damaged == 0
          ? ""
          : fmt::format("<span class=\"badge\">{} damaged</span>", number_text(row.damaged));
  const std::string below = row.files == 0
                                ? "empty"
                                : fmt::format("{} name{}, {}", number_text(row.files),
                                              row.files == 1 ? "" : "s", size_text(row.size));
  return fmt::format(
      "<details{}><summary><div class=\"r\"><span class=\"name\">{}{}</span>{}<span class=\"s\">{}"
      "</span></div></summary><ul>\n",
      row.damaged > 0 || row.depth == 0 ? " open" : "", html(row.name), row.depth == 0 ? "" : "/",
      badge, below);
}

std::string file_line(const View& view, const Row& row) {
  std::string badge;
  if (row.damaged > 0) {
    const Content& content = view.contents[row.content];
    badge = fmt::format("<span class=\"badge\">{} of {} block{}</span>",
                        number_text(content.bad_blocks.size()), number_text(content.blocks),
                        content.blocks == 1 ? "" : "s");
  }
  return fmt::format(
      "<div class=\"r\"><span class=\"name\">{}{}</span>{}<span class=\"s\">{}</span></div>",
      html(row.name), type_text(row), badge, S_ISREG(row.mode) ? size_text(row.size) : "");
}

/// Which rows to list. A browser cannot cope with hundreds of thousands: then it is damage, the way
/// to it, and the first levels of the tree as far as there is room.
std::vector<bool> chosen_rows(const View& view) {
  constexpr std::size_t kMaxRows = 3000;
  const std::vector<Row>& rows = view.rows;
  if (rows.size() <= kMaxRows) return std::vector<bool>(rows.size(), true);
  std::vector<bool> chosen(rows.size());
  std::size_t count = 0;
  const auto choose = [&](auto wanted) {
    std::vector<std::size_t> path;  // the directories that we are in
    for (std::size_t i = 0; i < rows.size() && count < kMaxRows; ++i) {
      path.resize(std::min(path.size(), rows[i].depth));
      if (wanted(rows[i]) && !chosen[i]) {
        for (const std::size_t directory : path) {
          count += chosen[directory] ? 0 : 1;
          chosen[directory] = true;
        }
        chosen[i] = true;
        ++count;
      }
      if (S_ISDIR(rows[i].mode)) path.push_back(i);
    }
  };
  choose([](const Row& row) { return row.damaged > 0 && !S_ISDIR(row.mode); });
  for (std::size_t depth = 0; depth <= 3; ++depth)
    choose([depth](const Row& row) { return row.depth <= depth; });
  return chosen;
}

}  // namespace

std::string tree_section(const View& view) {
  if (view.rows.empty()) return "";
  const std::vector<bool> chosen = chosen_rows(view);
  const auto hidden = static_cast<std::uint64_t>(std::count(chosen.begin(), chosen.end(), false));
  std::string out = "<h2>Files";
  if (hidden > 0)
    out += "<small>" + number_text(hidden) + " of " + number_text(view.rows.size()) +
           " names are not listed</small>";
  out += "</h2>\n<div class=\"card tree\"><ul>\n";
  std::size_t open = 0;  // directories that we are in
  for (std::size_t i = 0; i < view.rows.size(); ++i) {
    if (!chosen[i]) continue;
    const Row& row = view.rows[i];
    for (; open > row.depth; --open) out += "</ul></details></li>\n";
    out += row.damaged > 0 ? fmt::format("<li class=\"b\" id=\"r{}\">", i) : "<li>";
    if (S_ISDIR(row.mode)) {
      out += directory_line(row);
      ++open;
    } else {
      out += file_line(view, row) + "</li>\n";
    }
  }
  for (; open > 0; --open) out += "</ul></details></li>\n";
  return out + "</ul></div>\n";
}

}  // namespace intact::report
