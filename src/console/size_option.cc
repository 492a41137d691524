
#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/base/text.h>
#include <intact/console/size_option.h>

namespace intact::console {
namespace {

constexpr std::string_view kUnits = "KMGTPE";

struct Number {
  std::uint64_t value;
  std::string_view rest;  ///< of the text, after the digits
};

Error wrong(std::string message) {
  return {ErrorKind::invalid_argument, std::move(message)};
}

Error too_large(std::string_view text, std::uint64_t max) {
  return wrong(fmt::format("'{}' is too large: the maximum is {}", text, max));
}

/// The digits at the beginning of `text`; nothing if it begins otherwise.
Result<std::optional<Number>> leading_digits(std::string_view text, std::uint64_t max) {
  std::string_view rest = text;
  if (const auto value = take_number(rest)) return std::optional(Number{*value, rest});
  if (!text.empty() && text.front() >= '0' && text.front() <= '9') return too_large(text, max);
  return std::optional<Number>();
}

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

/// How many bytes a unit is: 1 for "B", 0 for a unit that is not known. All fit: E is 2^60.
std::uint64_t bytes_of(std::string_view unit) {
  if (unit == "B" || unit == "b") return 1;
  const std::size_t power = unit.empty() ? std::string_view::npos : kUnits.find(upper(unit[0]));
  if (power == std::string_view::npos) return 0;
  const std::string_view suffix = unit.substr(1);
  const bool binary = suffix.empty() || suffix == "iB" || suffix == "ib";
  if (!binary && suffix != "B" && suffix != "b") return 0;
  std::uint64_t bytes = 1;
  for (std::size_t i = 0; i <= power; ++i) bytes *= binary ? 1024 : 1000;
  return bytes;
}

template <typename Parse>
CLI::Validator rewriting(Parse parse) {
  return CLI::Validator(
      [parse](std::string& text) -> std::string {
        const auto value = parse(text);
        if (!value) return value.error().message();
        text = std::to_string(*value);
        return {};
      },
      "");
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text, SizeUnit unit, std::uint64_t max) {
  const auto number = TRY(leading_digits(text, max));
  if (!number)
    return wrong(
        fmt::format("'{}' is not a size; write a number with or without a unit: 4096, 1M", text));
  const auto plain = static_cast<std::uint64_t>(unit);
  std::uint64_t value = number->value;
  if (!number->rest.empty()) {
    const std::uint64_t factor = bytes_of(number->rest);
    if (factor == 0)
      return wrong(
          fmt::format("'{}' has the unknown unit '{}'; use K, M, G, T, P or E (1M and 1MiB "
                      "are 1048576 bytes, 1MB is 1000000)",
                      text, number->rest));
    const auto bytes = checked_multiply(value, factor);
    if (!bytes) return too_large(text, max);
    if (*bytes % plain != 0)
      return wrong(fmt::format("'{}' is not a multiple of {} bytes", text, plain));
    value = *bytes / plain;
  }
  if (value > max) return too_large(text, max);
  return value;
}

Result<std::uint64_t> parse_number(std::string_view text, std::uint64_t max) {
  const auto number = TRY(leading_digits(text, max));
  if (!number || !number->rest.empty())
    return wrong(fmt::format("'{}' is not a decimal number without a unit", text));
  if (number->value > max) return too_large(text, max);
  return number->value;
}

std::string size_text(std::uint64_t bytes) {
  std::size_t unit = 0;
  while (unit < kUnits.size() && bytes != 0 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + (unit == 0 ? "" : std::string(1, kUnits[unit - 1]));
}

CLI::Validator size_value(SizeUnit unit, std::uint64_t max) {
  return rewriting([unit, max](std::string_view text) { return parse_size(text, unit, max); });
}

CLI::Validator number_value(std::uint64_t max) {
  return rewriting([max](std::string_view text) { return parse_number(text, max); });
}

}  // namespace intact::console
