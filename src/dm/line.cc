#include <algorithm>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/base/text.h>
#include <intact/base/visible.h>
#include <intact/dm/line.h>

#include "key_reference.h"

namespace intact::dm {
namespace {

constexpr std::string_view kSpace = " \t\r\v\f";
constexpr std::uint64_t kMaxSectors = (std::uint64_t{1} << 54) - 1;  // fewer than 2^63 bytes

Error invalid(std::string message) {
  return {ErrorKind::invalid_argument, std::move(message)};
}

Result<Line> parse_line(std::string_view text) {
  std::vector<std::string> words = split_words(text);
  if (words.size() < 3)
    return invalid("ends too early; a line is START SECTORS TARGET ARGUMENT...");
  const auto start = whole_number(words[0]);
  if (!start)
    return invalid(fmt::format("word 1 (start): {} is not a number of sectors", quoted(words[0])));
  const auto sectors = whole_number(words[1]);
  if (!sectors || *sectors == 0)
    return invalid(
        fmt::format("word 2 (length): {} is not a number of sectors above 0", quoted(words[1])));
  Line line{.start = *start, .sectors = *sectors, .target = std::move(words[2])};
  words.erase(words.begin(), words.begin() + 3);
  line.arguments = std::move(words);
  return line;
}

/// Adds a line that must follow the others.
Result<void> append(std::vector<Line>& lines, std::string_view text) {
  const std::string place = fmt::format("table line {}", lines.size() + 1);
  Line line = TRY(parse_line(text).context(place));
  const std::uint64_t end = lines.empty() ? 0 : lines.back().start + lines.back().sectors;
  if (line.start != end)
    return invalid(fmt::format("{}: begins at sector {}, but {}; lines must follow one another",
                               place, line.start,
                               lines.empty() ? "a device begins at sector 0"
                                             : fmt::format("the line before ends at {}", end)));
  const auto sum = checked_add(line.start, line.sectors);
  if (!sum || *sum > kMaxSectors)
    return invalid(fmt::format("{}: the device would have 2^63 bytes or more", place));
  lines.push_back(std::move(line));
  return {};
}

/// The parts of `text` between separators, with the escapes of the others removed.
std::vector<std::string> split_at(std::string_view text, char separator, bool unescape) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      if (!unescape) parts.back() += text[i];
      parts.back() += text[++i];
    } else if (text[i] == separator) {
      parts.emplace_back();
    } else {
      parts.back() += text[i];
    }
  }
  return parts;
}

Result<Table> parse_table(std::string_view text) {
  const std::vector<std::string> fields = split_at(text, ',', true);
  if (fields.size() < 5)
    return invalid("ends too early; a device is NAME,UUID,MINOR,FLAGS,LINE[,LINE...]");
  Table table{.name = fields[0], .uuid = fields[1]};
  const std::string place = fmt::format("device {}", quoted(table.name));
  if (table.name.empty()) return invalid("a device without a name");
  if (fields[3] != "ro" && fields[3] != "rw")
    return invalid(fmt::format("{}: flags {}; expected ro or rw", place, quoted(fields[3])));
  table.read_only = fields[3] == "ro";
  for (std::size_t i = 4; i < fields.size(); ++i)
    TRY(append(table.lines, fields[i]).context(place));
  return table;
}

}  // namespace

std::string quoted(std::string_view word) {
  constexpr std::string_view kDigits = "0123456789abcdefABCDEF";
  constexpr std::size_t kMinKey = 16;     // hexadecimal digits
  constexpr std::size_t kMaxNumber = 20;  // decimal digits of 2^64
  std::string shown;
  while (!word.empty()) {
    const std::size_t begin = std::min(word.find_first_of(kDigits), word.size());
    const std::size_t end = std::min(word.find_first_not_of(kDigits, begin), word.size());
    const std::string_view digits = word.substr(begin, end - begin);
    const bool is_number = digits.size() <= kMaxNumber &&
                           digits.find_first_not_of("0123456789") == std::string_view::npos;
    shown += word.substr(0, begin);
    if (digits.size() < kMinKey || is_number)
      shown += digits;
    else
      shown += fmt::format("({} hexadecimal digits)", digits.size());
    word.remove_prefix(end);
  }
  return fmt::format("'{}'", visible(shown));
}

/// A backslash at the end stands for itself.
std::vector<std::string> split_words(std::string_view line) {
  std::vector<std::string> words;
  bool in_word = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    char c = line[i];
    if (kSpace.find(c) != std::string_view::npos) {
      in_word = false;
      continue;
    }
    if (c == '\\' && i + 1 < line.size()) c = line[++i];
    if (!in_word) words.emplace_back();
    in_word = true;
    words.back() += c;
  }
  return words;
}

Result<std::vector<Line>> parse_lines(std::string_view text) {
  std::vector<Line> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t first = line.find_first_not_of(kSpace);
    if (first == std::string_view::npos || line[first] == '#') continue;
    TRY(append(lines, line));
  }
  if (lines.empty()) return invalid("table: has no lines");
  return lines;
}

std::string to_text(const Line& line) {
  std::string text = fmt::format("{} {} ", line.start, line.sectors);
  text += backslashed(line.target, kSpace);
  for (const std::string& word : line.arguments) {
    text += ' ';
    text += backslashed(word, kSpace);
  }
  return text;
}

std::string to_text(const std::vector<Line>& lines) {
  std::string text;
  for (const Line& line : lines) {
    if (!text.empty()) text += '\n';
    text += to_text(line);
  }
  return text;
}

Result<std::vector<Table>> parse_concise(std::string_view text) {
  std::vector<Table> tables;
  for (const std::string& part : split_at(text, ';', false))
    tables.push_back(TRY(parse_table(part)));
  return tables;
}

std::string to_concise(const std::vector<Table>& tables) {
  constexpr std::string_view kSpecial = ",;";
  std::string text;
  for (const Table& table : tables) {
    if (!text.empty()) text += ';';
    text += backslashed(table.name, kSpecial);
    text += ',';
    text += backslashed(table.uuid, kSpecial);
    text += table.read_only ? ",,ro" : ",,rw";
    for (const Line& line : table.lines) {
      text += ',';
      text += backslashed(to_text(line), kSpecial);
    }
  }
  return text;
}

Error Arguments::wrong(std::string_view what, std::string_view expected) const {
  return invalid(fmt::format("{}: argument {} ({}): {} is not {}", line_.target, next_, what,
                             quoted(next_ == 0 ? std::string() : line_.arguments[next_ - 1]),
                             expected));
}

Result<std::string> Arguments::word(std::string_view what) {
  if (at_end())
    return invalid(fmt::format("{}: ends too early; argument {} ({}) is missing", line_.target,
                               next_ + 1, what));
  return line_.arguments[next_++];
}

Result<std::uint64_t> Arguments::number(std::string_view what, std::uint64_t max) {
  const std::string text = TRY(word(what));
  const auto value = whole_number(text);
  if (!value || *value > max)
    return wrong(what, max == UINT64_MAX ? "a number" : fmt::format("a number up to {}", max));
  return *value;
}

Result<std::uint32_t> Arguments::number32(std::string_view what) {
  return static_cast<std::uint32_t>(TRY(number(what, UINT32_MAX)));
}

Result<Bytes> Arguments::bytes(std::string_view what) {
  const std::string text = TRY(word(what));
  if (text == "-") return Bytes();
  auto bytes = from_hex(text);
  if (!bytes) return wrong(what, "hexadecimal or -");
  return *std::move(bytes);
}

Result<std::size_t> Arguments::count_of_options(std::size_t max) {
  if (at_end()) return std::size_t{0};
  const auto count = static_cast<std::size_t>(TRY(number("number of options", max)));
  if (count != left())
    return wrong("number of options", fmt::format("the number of words after it, {}", left()));
  return count;
}

Result<void> Arguments::end() const {
  if (at_end()) return {};
  return invalid(fmt::format("{}: argument {}: {} is one too many", line_.target, next_ + 1,
                             quoted(line_.arguments[next_])));
}

}  // namespace intact::dm
