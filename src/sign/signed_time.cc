#include <chrono>

#include <fmt/format.h>

#include <intact/sign/signed_time.h>

namespace intact::sign {
namespace {

/// Takes `digits` digits off the front; -1 if they are not there.
int take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return -1;
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

Result<std::int64_t> parse_time(std::string_view text) {
  const auto bad = [] { return Error(ErrorKind::malformed, "not a time of RFC 3339"); };
  const int year = take_number(text, 4);
  if (!take(text, '-')) return bad();
  const int month = take_number(text, 2);
  if (!take(text, '-')) return bad();
  const int day = take_number(text, 2);
  if (!take(text, 'T') && !take(text, 't')) return bad();
  const int hour = take_number(text, 2);
  if (!take(text, ':')) return bad();
  const int minute = take_number(text, 2);
  if (!take(text, ':')) return bad();
  const int second = take_number(text, 2);
  if (take(text, '.')) {
    if (take_number(text, 1) < 0) return bad();
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') text.remove_prefix(1);
  }
  int offset = 0;  // minutes
  if (!take(text, 'Z') && !take(text, 'z')) {
    const bool west = text.starts_with('-');
    if (!take(text, west ? '-' : '+')) return bad();
    const int hours = take_number(text, 2);
    if (!take(text, ':')) return bad();
    const int minutes = take_number(text, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return bad();
    offset = (hours * 60 + minutes) * (west ? -1 : 1);
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!text.empty() || year < 1970 || !date.ok() || hour < 0 || hour > 23 || minute < 0 ||
      minute > 59 || second < 0 || second > 60)
    return bad();
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const std::int64_t seconds =
      days * 86400 + std::int64_t{hour} * 3600 + std::int64_t{minute - offset} * 60 + second;
  if (seconds < 0) return bad();
  return seconds;
}

std::string format_time(std::int64_t seconds) {
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace intact::sign
