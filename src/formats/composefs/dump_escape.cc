#include "dump_escape.h"

#include <array>

#include <fmt/format.h>

#include <intact/composefs/dump.h>

namespace intact::composefs {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_hex(std::string& out, char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  out += "\\x";
  out += digits[byte >> 4];
  out += digits[byte & 15];
}

Error bad_escape(std::string_view what) {
  return Error(ErrorKind::malformed, std::string(what));
}

}  // namespace

void append_escaped(std::string& out, std::string_view text, Escape escape) {
  if (escape == Escape::lone_dash && text == "-") return append_hex(out, '-');
  for (const char c : text) {
    switch (c) {
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default: {
        const bool graphic = (c > ' ' && c <= '~') || (c == ' ' && escape == Escape::path);
        if (!graphic || (c == '=' && escape == Escape::equal_sign))
          append_hex(out, c);
        else
          out += c;
      }
    }
  }
}

Result<std::string> unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('\\'), text.size());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    if (text.size() < 2) return bad_escape("nothing follows a backslash");
    const char kind = text[1];
    text.remove_prefix(2);
    switch (kind) {
      case '\\':
        out += '\\';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'x': {
        const int high = text.empty() ? -1 : hex_value(text[0]);
        const int low = text.size() < 2 ? -1 : hex_value(text[1]);
        if (high < 0 || low < 0) return bad_escape("\\x without two hex digits");
        out += static_cast<char>(high << 4 | low);
        text.remove_prefix(2);
        break;
      }
      default:
        return bad_escape(fmt::format("unknown escape \\{}", kind));
    }
  }
  return out;
}

Result<std::string> unescape_string(std::string_view text) {
  std::string out = TRY(unescape(text));
  out.resize(std::min(out.find('\0'), out.size()));
  return out;
}

}  // namespace intact::composefs
