#include "go_json.h"

#include <intact/json/json.h>

namespace intact::sign {

std::string go_quote(std::string_view text) {
  const std::string plain = to_text(Json(text));
  std::string quoted;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const std::string_view rest = std::string_view(plain).substr(i);
    if (rest[0] == '<' || rest[0] == '>' || rest[0] == '&') {
      quoted += rest[0] == '<' ? "\\u003c" : rest[0] == '>' ? "\\u003e" : "\\u0026";
    } else if (rest.starts_with("\u2028") || rest.starts_with("\u2029")) {
      quoted += rest.starts_with("\u2028") ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      quoted += rest[0];
    }
  }
  return quoted;
}

}  // namespace intact::sign
