#include "roff.h"

namespace intact::console {
namespace {

std::string escaped(std::string_view text, bool code) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-' && code) {
      out += "\\-";
    } else if (c == '~' && code) {
      out += "\\(ti";
    } else if (c == '^' && code) {
      out += "\\(ha";
    } else if (c == '\'' && code) {
      out += "\\(aq";
    } else if (c == '`') {
      out += "\\(ga";
    } else {
      out += c;
    }
  }
  return out;
}

/// Text that looks like a request at the start of a line stays text.
std::string at_line_start(std::string out) {
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  return out;
}

/// Text with `typed` and *variable* parts, or those of `marks`. A mark without a second one is an
/// ordinary character.
std::string inline_markup(std::string_view text, std::string_view marks = "`*") {
  std::string out;
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char mark = text[i];
    if (marks.find(mark) == std::string_view::npos) continue;
    const std::size_t end = text.find(mark, i + 1);
    if (end == std::string_view::npos || end == i + 1) continue;
    // A star between blanks is a star.
    if (mark == '*' && (text[i + 1] == ' ' || text[end - 1] == ' ')) continue;
    out += escaped(text.substr(plain, i - plain), false);
    out += mark == '`' ? "\\fB" : "\\fI";
    out += escaped(text.substr(i + 1, end - i - 1), true);
    out += "\\fR";
    plain = i = end;
    ++plain;
  }
  return at_line_start(out + escaped(text.substr(plain), false));
}

/// Turns lines into macros; the lines before decide what begins a paragraph.
class Converter {
 public:
  void line(std::string_view text) {
    if (text.starts_with("    ")) {
      if (!example_) out_ += std::string(heading_ ? "" : ".PP\n") + ".RS 4\n.nf\n";
      heading_ = false;
      example_ = true;
      for (; held_ > 0; --held_) out_ += "\n";
      out_ += at_line_start(escaped(text.substr(4), true)) + "\n";
      return;
    }
    if (text.empty()) {
      if (example_) {
        ++held_;  // belongs to the example if that goes on
      } else {
        paragraph_ = !heading_;  // a heading begins one by itself
      }
      return;
    }
    end_example();
    heading_ = text.starts_with("## ");
    if (heading_) {
      out_ += ".SH " + escaped(text.substr(3), false) + "\n";
      paragraph_ = false;
    } else if (text.starts_with("- ")) {
      item(text.substr(2));
    } else {
      text = text.substr(text.find_first_not_of(' '));
      if (paragraph_) out_ += ".PP\n";
      paragraph_ = false;
      out_ += inline_markup(text) + "\n";
    }
  }

  std::string finish() {
    end_example();
    return std::move(out_);
  }

 private:
  void item(std::string_view text) {
    const std::size_t colon = text.find("`: ");
    if (text.starts_with('`') && colon != std::string_view::npos) {
      out_ += ".TP\n" + inline_markup(text.substr(0, colon + 1)) + "\n" +
              inline_markup(text.substr(colon + 3)) + "\n";
    } else {
      out_ += ".IP \\(bu 2\n" + inline_markup(text) + "\n";
    }
    paragraph_ = false;
  }
  void end_example() {
    if (!example_) return;
    out_ += ".fi\n.RE\n";
    example_ = false;
    paragraph_ = held_ > 0;
    held_ = 0;
  }

  std::string out_;
  bool paragraph_ = false;  ///< the next text begins one
  bool heading_ = false;    ///< without text so far
  bool example_ = false;
  unsigned held_ = 0;  ///< empty lines seen in an example
};

}  // namespace

std::string roff_text(std::string_view text) {
  return inline_markup(text, "`");
}

std::string roff_code(std::string_view text) {
  return at_line_start(escaped(text, true));
}

std::string roff_from_markdown(std::string_view markdown) {
  Converter converter;
  while (!markdown.empty()) {
    const std::size_t end = std::min(markdown.find('\n'), markdown.size());
    converter.line(markdown.substr(0, end));
    markdown.remove_prefix(std::min(end + 1, markdown.size()));
  }
  return converter.finish();
}

}  // namespace intact::console
