#include "pax.h"

#include <algorithm>

#include <intact/base/text.h>

#include "base64.h"

namespace intact::oci {
namespace {

Error malformed(std::string_view text) {
  return Error(ErrorKind::malformed, "PAX header: " + std::string(text));
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<std::string> url_decode(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (text[0] != '%') {
      out += text[0];
      text.remove_prefix(1);
      continue;
    }
    const int high = text.size() >= 3 ? hex_digit(text[1]) : -1;
    const int low = text.size() >= 3 ? hex_digit(text[2]) : -1;
    if (high < 0 || low < 0) return malformed("bad %-escape in the name of an xattr");
    out += static_cast<char>(high * 16 + low);
    text.remove_prefix(3);
  }
  return out;
}

}  // namespace

Result<PaxRecord> take_pax_record(std::string_view& text) {
  const std::size_t space = text.find(' ');
  // Ten digits are more than any header may be long.
  if (space == std::string_view::npos || space == 0 || space > 10)
    return malformed("record without a length");
  const auto length = pax_number(text.substr(0, space));
  if (!length) return malformed("record whose length is not a number");
  if (*length > text.size() || *length < space + 3) return malformed("record of a wrong length");
  std::string_view record = text.substr(0, static_cast<std::size_t>(*length));
  text.remove_prefix(record.size());
  if (record.back() != '\n') return malformed("record that does not end with a newline");
  record.remove_suffix(1);
  record.remove_prefix(space + 1);
  const std::size_t equals = record.find('=');
  if (equals == std::string_view::npos || equals == 0) return malformed("record without a key");
  const PaxRecord result{record.substr(0, equals), record.substr(equals + 1)};
  if (result.key.find('\0') != std::string_view::npos) return malformed("NUL in a key");
  if (result.value.find('\0') != std::string_view::npos && !result.key.starts_with(kSchilyXattr))
    return malformed("NUL in the value of '" + std::string(result.key.substr(0, 100)) + "'");
  return result;
}

void append_pax_record(std::string& text, std::string_view key, std::string_view value) {
  // The length counts its own digits.
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length)
    length = std::to_string(length).size() + rest;
  text += std::to_string(length);
  text += ' ';
  text += key;
  text += '=';
  text += value;
  text += '\n';
}

std::optional<std::uint64_t> pax_number(std::string_view text) {
  if (text.size() > 19) return std::nullopt;
  const auto value = whole_number(text);
  return value <= std::uint64_t{INT64_MAX} ? value : std::nullopt;
}

std::optional<tree::Timestamp> pax_time(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::size_t dot = std::min(text.find('.'), text.size());
  const auto seconds = pax_number(text.substr(0, dot));
  const std::string_view fraction = text.substr(std::min(dot + 1, text.size()));
  if (!seconds || !std::all_of(fraction.begin(), fraction.end(), is_digit)) return std::nullopt;
  std::uint32_t nanoseconds = 0;
  for (std::size_t i = 0; i < 9; ++i)
    nanoseconds = nanoseconds * 10 +
                  (i < fraction.size() ? static_cast<std::uint32_t>(fraction[i] - '0') : 0);
  tree::Timestamp time{static_cast<std::int64_t>(*seconds), nanoseconds};
  if (!negative) return time;
  time.seconds = -time.seconds;
  if (nanoseconds != 0) {
    time.seconds -= 1;
    time.nanoseconds = 1'000'000'000 - nanoseconds;
  }
  return time;
}

std::string to_pax_time(const tree::Timestamp& time) {
  std::int64_t seconds = time.seconds;
  std::uint32_t nanoseconds = time.nanoseconds;
  const bool borrowed = seconds < 0 && nanoseconds != 0;
  if (borrowed) {
    seconds += 1;
    nanoseconds = 1'000'000'000 - nanoseconds;
  }
  std::string text = (borrowed && seconds == 0 ? "-" : "") + std::to_string(seconds);
  if (nanoseconds == 0) return text;
  std::string fraction = std::to_string(nanoseconds);
  fraction.insert(0, 9 - fraction.size(), '0');
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return text + "." + fraction;
}

Result<tree::Xattr> xattr_of(const PaxRecord& record) {
  if (record.key.starts_with(kSchilyXattr))
    return tree::Xattr{std::string(record.key.substr(kSchilyXattr.size())),
                       std::string(record.value)};
  const Bytes value = TRY(decode_base64(record.value).context("PAX header: value of an xattr"));
  return tree::Xattr{TRY(url_decode(record.key.substr(kLibarchiveXattr.size()))),
                     std::string(as_text(value))};
}

}  // namespace intact::oci
