#include "escape.h"

#include <intact/base/visible.h>

namespace intact::report {

namespace {

std::string without_markup(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

std::string html(std::string_view text) {
  return without_markup(visible(text));
}

std::string html_message(std::string_view text) {
  return without_markup(visible_message(text));
}

}  // namespace intact::report
