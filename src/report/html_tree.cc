#include <fmt/format.h>
#include <sys/stat.h>

#include <intact/report/escape.h>

#include "html_parts.h"

namespace intact::report {
namespace {

/// What stands behind a name that is neither a directory nor a plain file.
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

}  // namespace

std::string tree_section(const View& view) {
  if (view.rows.empty()) return "";
  std::string out = "<h2>Files</h2>\n<div class=\"card tree\"><ul>\n";
  std::size_t open = 0;  // directories that we are in
  for (std::size_t i = 0; i < view.rows.size(); ++i) {
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
