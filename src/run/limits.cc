#include <algorithm>
#include <charconv>
#include <cmath>

#include <intact/base/text.h>
#include <intact/run/options.h>

namespace intact::run {
namespace {

constexpr double kCpuPeriod = 100'000;  // microseconds

Error refuse(std::string_view what, std::string_view text, std::string_view why) {
  return Error(ErrorKind::invalid_argument,
               std::string(what) + " " + std::string(text) + ": " + std::string(why));
}

/// A number without sign or exponent, removed from `text`.
std::optional<double> take_number(std::string_view& text) {
  const auto end = text.find_first_not_of("0123456789.");
  const std::string_view digits = text.substr(0, end);
  double value = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value,
                                             std::chars_format::fixed);
  if (error != std::errc() || stop != digits.data() + digits.size()) return std::nullopt;
  text.remove_prefix(digits.size());
  return value;
}

}  // namespace

Result<std::uint64_t> parse_bytes(std::string_view what, std::string_view text) {
  std::string_view unit = text;
  const auto number = take_number(unit);
  constexpr std::string_view kUnits = "bkmgt";
  std::string lower;
  for (const char c : unit) lower.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  const auto power = lower.empty() ? 0 : kUnits.find(lower.front());
  const std::string_view rest =
      lower.empty() ? std::string_view() : std::string_view(lower).substr(1);
  if (!number || power == std::string_view::npos ||
      !(rest.empty() || (power > 0 && (rest == "b" || rest == "ib"))))
    return refuse(what, text, "not a size; use a number of bytes, or a unit as in 512m or 2g");
  const double bytes = std::floor(std::ldexp(*number, static_cast<int>(power) * 10));
  if (bytes >= 9.2e18) return refuse(what, text, "too large");
  return static_cast<std::uint64_t>(bytes);
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::string_view kUnits = "kmgt";
  std::size_t unit = 0;
  while (unit < kUnits.size() && bytes != 0 && bytes % 1024 == 0) bytes /= 1024, ++unit;
  std::string text = std::to_string(bytes);
  if (unit > 0) text += kUnits[unit - 1];
  return text;
}

std::uint64_t tmpfs_inodes(std::uint64_t size) {
  return std::max<std::uint64_t>(size / 2048, 1024);
}

Result<std::uint64_t> parse_writable_size(std::string_view text) {
  const std::uint64_t size = TRY(parse_bytes("--rw-size", text));
  if (size == 0)
    return Error(ErrorKind::invalid_argument, "--rw-size 0: leave out --rw for a read-only root");
  return size;
}

Result<std::uint64_t> parse_tmpfs_size(std::string_view text) {
  const std::uint64_t size = TRY(parse_bytes("--tmpfs-size", text));
  if (size == 0)
    return Error(ErrorKind::invalid_argument,
                 "--tmpfs-size 0: not a limit; give the size that you need");
  return size;
}

Result<std::uint64_t> parse_cpus(std::string_view text) {
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (!number || !rest.empty()) return refuse("--cpus", text, "not a number such as 0.5 or 2");
  // The kernel takes no quota below a millisecond.
  if (*number < 0.01 || *number > 1e6) return refuse("--cpus", text, "out of range (from 0.01)");
  return static_cast<std::uint64_t>(std::llround(*number * kCpuPeriod));
}

Result<std::uint64_t> parse_pids(std::string_view text) {
  if (text == "-1") return std::uint64_t{0};
  const auto value = whole_number(text);
  if (!value || *value > INT32_MAX)
    return refuse("--pids-limit", text, "not a number of processes; -1 means no limit");
  return *value;
}

}  // namespace intact::run
