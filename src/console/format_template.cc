#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <intact/base/text.h>
#include <intact/base/visible.h>
#include <intact/console/format_template.h>

namespace intact::console {
namespace {

Error not_understood(std::string_view action, std::string_view why) {
  return Error(ErrorKind::invalid_argument,
               fmt::format("--format: {{{{{}}}}}: {}; use {{{{.Field}}}}, {{{{json .Field}}}} or "
                           "{{{{index .Field \"key\"}}}}",
                           action, why));
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())))
    text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
    text.remove_suffix(1);
  return text;
}

/// "\t" and "\n", which a shell passes on as they are typed.
std::string without_escapes(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] != '\\' || (next != 't' && next != 'n' && next != '\\')) {
      out += text[i];
      continue;
    }
    out += next == 't' ? '\t' : next == 'n' ? '\n' : '\\';
    ++i;
  }
  return out;
}

/// As Go's %v prints it.
std::string value_text(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "";
    case Json::value_t::string:
      return visible(value.get_ref<const std::string&>());
    case Json::value_t::array: {
      std::vector<std::string> items;
      for (const Json& item : value) items.push_back(value_text(item));
      return fmt::format("[{}]", fmt::join(items, " "));
    }
    case Json::value_t::object: {
      std::vector<std::string> items;
      for (const auto& [key, item] : value.items())
        items.push_back(visible(key) + ":" + value_text(item));
      std::ranges::sort(items);
      return fmt::format("map[{}]", fmt::join(items, " "));
    }
    default:
      return value.dump();
  }
}

std::string json_text(const Json& value) {
  return value.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace

std::string aligned_columns(std::string_view text) {
  constexpr std::size_t kGap = 2;
  const auto width = [](std::string_view cell) {
    return static_cast<std::size_t>(
        std::ranges::count_if(cell, [](char c) { return (c & 0xc0) != 0x80; }));
  };
  std::vector<std::size_t> widths;
  const auto lines = split(text, '\n');
  for (const std::string_view line : lines) {
    const auto cells = split(line, '\t');
    widths.resize(std::max(widths.size(), cells.size()));
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], width(cells[i]));
  }
  std::string out;
  for (std::size_t l = 0; l < lines.size(); ++l) {
    const auto cells = split(lines[l], '\t');
    for (std::size_t i = 0; i < cells.size(); ++i) {
      out += cells[i];
      if (i + 1 < cells.size()) out.append(widths[i] - width(cells[i]) + kGap, ' ');
    }
    if (l + 1 < lines.size()) out += '\n';
  }
  return out;
}

Result<FormatTemplate::Piece> FormatTemplate::parse_action(std::string_view whole) {
  std::string_view action = trimmed(whole);
  Piece piece{.kind = Piece::Kind::field, .text = {}, .path = {}};
  const auto take_word = [&action](std::string_view word) {
    if (!action.starts_with(word) || action.size() == word.size() ||
        !std::isspace(static_cast<unsigned char>(action[word.size()])))
      return false;
    action = trimmed(action.substr(word.size()));
    return true;
  };
  if (take_word("json")) {
    piece.kind = Piece::Kind::json;
  } else if (take_word("index")) {
    piece.kind = Piece::Kind::index;
    const std::size_t space = action.find_first_of(" \t");
    if (space == std::string_view::npos) return not_understood(whole, "index needs a key");
    std::string_view key = trimmed(action.substr(space));
    action = action.substr(0, space);
    const bool quoted =
        key.size() >= 2 && (key.front() == '"' || key.front() == '`') && key.back() == key.front();
    if (quoted) key = key.substr(1, key.size() - 2);
    if (key.empty()) return not_understood(whole, "index needs a key");
    piece.text = key;
  }
  if (!action.starts_with('.')) return not_understood(whole, "not a field");
  if (action == ".") return piece;
  for (const std::string_view part : split(action.substr(1), '.')) {
    const bool is_word = !part.empty() && std::ranges::all_of(part, [](unsigned char c) {
      return std::isalnum(c) || c == '_';
    });
    if (!is_word) return not_understood(whole, "not a field");
    piece.path.emplace_back(part);
  }
  return piece;
}

Result<FormatTemplate> FormatTemplate::parse(std::string_view text) {
  constexpr std::string_view kTable = "table ";
  FormatTemplate made;
  if (trimmed(text) == "json") {
    made.json_ = true;
    return made;
  }
  if (text.starts_with(kTable)) {
    made.table_ = true;
    text = trimmed(text.substr(kTable.size()));
  }
  while (!text.empty()) {
    const std::size_t open = text.find("{{");
    const std::string plain = without_escapes(text.substr(0, open));
    if (!plain.empty())
      made.pieces_.push_back({.kind = Piece::Kind::text, .text = plain, .path = {}});
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find("}}", open);
    if (close == std::string_view::npos)
      return Error(ErrorKind::invalid_argument, "--format: a {{ has no }}");
    made.pieces_.push_back(TRY(parse_action(text.substr(open + 2, close - open - 2))));
    text.remove_prefix(close + 2);
  }
  return made;
}

bool FormatTemplate::uses(std::string_view field) const {
  return json_ || std::ranges::any_of(pieces_, [&](const Piece& piece) {
           return piece.kind != Piece::Kind::text &&
                  (piece.path.empty() || piece.path.front() == field);
         });
}

Result<const Json*> FormatTemplate::find(const Json& row, const Piece& piece) {
  const Json* at = &row;
  for (const std::string& name : piece.path) {
    // What an image leaves out is empty, as in Go; only the names of the row itself are known.
    if (at->is_null()) return at;
    const auto member = at->is_object() ? at->find(name) : at->end();
    if (at->is_object() && member != at->end()) {
      at = &*member;
      continue;
    }
    static const Json kNothing;
    if (at != &row) return &kNothing;
    std::vector<std::string> known;
    for (const auto& [key, value] : row.items()) known.push_back(key);
    return Error(ErrorKind::invalid_argument, fmt::format("--format: no field '{}'; there are {}",
                                                          name, fmt::join(known, ", ")));
  }
  if (piece.kind != Piece::Kind::index) return at;
  static const Json kNothing;
  if (at->is_object()) {
    const auto member = at->find(piece.text);
    return member == at->end() ? &kNothing : &*member;
  }
  const bool is_number =
      piece.text.size() < 10 &&
      std::ranges::all_of(piece.text, [](char c) { return c >= '0' && c <= '9'; });
  if (!at->is_array() || !is_number) return &kNothing;
  const std::size_t i = std::stoul(piece.text);
  return i < at->size() ? &(*at)[i] : &kNothing;
}

Result<std::string> FormatTemplate::render_row(const Json& row) const {
  std::string out;
  for (const Piece& piece : pieces_) {
    if (piece.kind == Piece::Kind::text) {
      out += piece.text;
      continue;
    }
    const Json& value = *TRY(find(row, piece));
    const std::string text = piece.kind == Piece::Kind::json ? json_text(value) : value_text(value);
    // An empty cell would shift the columns for awk; podman writes the same.
    out += table_ && text.empty() ? "<none>" : text;
  }
  return out;
}

std::string FormatTemplate::heading() const {
  std::string out;
  for (const Piece& piece : pieces_) {
    std::string text = piece.text;
    if (piece.kind != Piece::Kind::text) {
      if (piece.kind != Piece::Kind::index)
        text = piece.path.empty() ? std::string() : piece.path.back();
      std::ranges::transform(text, text.begin(),
                             [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    }
    out += text;
  }
  return out;
}

Result<std::string> FormatTemplate::render(const std::vector<Json>& rows,
                                           const Json& fields) const {
  TRY(render_row(fields));  // a field that does not exist is a mistake, whatever there is
  std::string out;
  if (table_) out += heading() + "\n";
  for (const Json& row : rows) out += TRY(render_row(row)) + "\n";
  return table_ ? aligned_columns(out) : out;
}

}  // namespace intact::console
