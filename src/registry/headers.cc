#include "headers.h"

#include <algorithm>
#include <ctime>

#include <intact/base/text.h>

#include "libcurl.h"

namespace intact::registry {
namespace {

constexpr std::size_t kMaxChallenges = 16;
constexpr std::size_t kMaxParameters = 32;

bool is_token_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~/").find(c) != std::string_view::npos;
}

/// A cursor over a header's value.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  void skip() { rest_.remove_prefix(1); }
  void skip_any(std::string_view characters) {
    while (!rest_.empty() && characters.find(rest_.front()) != std::string_view::npos) skip();
  }
  std::string token() {
    std::string text;
    while (!rest_.empty() && is_token_character(rest_.front())) {
      text += rest_.front();
      skip();
    }
    return text;
  }
  /// A quoted string or a bare value up to a comma or space.
  std::string value() {
    std::string text;
    if (peek() == '"') {
      skip();
      while (!rest_.empty() && rest_.front() != '"') {
        if (rest_.front() == '\\' && rest_.size() > 1) skip();
        text += rest_.front();
        skip();
      }
      if (!rest_.empty()) skip();
      return text;
    }
    while (!rest_.empty() && std::string_view(", \t;").find(rest_.front()) == rest_.npos) {
      text += rest_.front();
      skip();
    }
    return text;
  }

 private:
  std::string_view rest_;
};

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

/// "SCHEME name=value, name=value, SCHEME ...": a word that no "=" follows begins a challenge.
void parse_challenges_of(std::string_view header, std::vector<Challenge>& found) {
  Cursor cursor(header);
  bool open = false;
  while (!cursor.done() && found.size() <= kMaxChallenges) {
    cursor.skip_any(" \t,");
    if (cursor.done()) return;
    const std::string word = cursor.token();
    if (word.empty()) {
      cursor.skip();
      continue;
    }
    cursor.skip_any(" \t");
    if (cursor.peek() == '=') {
      cursor.skip();
      cursor.skip_any(" \t");
      std::string value = cursor.value();
      // Of two values the first counts.
      if (open && found.back().parameters.size() < kMaxParameters)
        found.back().parameters.emplace(lower(word), std::move(value));
    } else {
      found.push_back({lower(word), {}});
      open = true;
    }
  }
}

}  // namespace

std::string Challenge::parameter(const std::string& name) const {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string() : found->second;
}

std::vector<Challenge> parse_challenges(const std::vector<std::string>& headers) {
  std::vector<Challenge> found;
  for (const std::string& header : headers) parse_challenges_of(header, found);
  if (found.size() > kMaxChallenges) found.resize(kMaxChallenges);
  return found;
}

std::optional<std::string> next_link(const std::vector<std::string>& headers) {
  for (const std::string& header : headers) {
    std::string_view rest = header;
    while (!rest.empty()) {
      const std::size_t open = rest.find('<');
      if (open == std::string_view::npos) break;
      const std::size_t close = rest.find('>', open);
      if (close == std::string_view::npos) break;
      std::string target(rest.substr(open + 1, close - open - 1));
      Cursor cursor(rest.substr(close + 1));
      bool next = false;
      for (;;) {
        cursor.skip_any(" \t");
        if (cursor.peek() != ';') break;
        cursor.skip();
        cursor.skip_any(" \t");
        const std::string name = lower(cursor.token());
        cursor.skip_any(" \t");
        if (cursor.peek() != '=') continue;
        cursor.skip();
        cursor.skip_any(" \t");
        next |= lower(cursor.value()) == "next" && name == "rel";
      }
      if (next) return target;
      const std::size_t comma = rest.find(',', close);
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return std::nullopt;
}

std::optional<ByteRange> parse_range(std::string_view value) {
  if (value.starts_with("bytes=")) value.remove_prefix(6);
  const std::size_t dash = value.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = whole_number(value.substr(0, dash));
  const auto last = whole_number(value.substr(dash + 1));
  if (!first || !last || *first > *last) return std::nullopt;
  return ByteRange{*first, *last};
}

std::optional<ContentRange> parse_content_range(std::string_view value) {
  if (!value.starts_with("bytes ")) return std::nullopt;
  value.remove_prefix(6);
  const std::size_t slash = value.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto range = parse_range(value.substr(0, slash));
  if (!range) return std::nullopt;
  ContentRange result{range->first, range->last, {}};
  const std::string_view whole = value.substr(slash + 1);
  if (whole == "*") return result;
  result.whole = whole_number(whole);
  if (!result.whole || *result.whole <= range->last) return std::nullopt;
  return result;
}

std::optional<std::chrono::seconds> parse_retry_after(const std::string& value) {
  constexpr std::uint64_t kMax = 60 * 60 * 24;
  if (const auto seconds = whole_number(value))
    return std::chrono::seconds(std::min(*seconds, kMax));
  if (!load_libcurl()) return std::nullopt;
  const std::time_t when = libcurl().getdate(value.c_str(), nullptr);
  if (when < 0) return std::nullopt;
  return std::chrono::seconds(std::max<std::time_t>(when - std::time(nullptr), 0));
}

}  // namespace intact::registry
