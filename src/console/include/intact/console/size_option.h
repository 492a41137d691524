#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <CLI/CLI.hpp>

#include <intact/base/result.h>

namespace intact::console {

// Options that take a size or a number. Values are decimal and exact: no signs, no hexadecimal or
// octal spellings, nothing that does not fit. All functions are thread-safe.

/// What a plain number counts. A unit in the value always counts bytes.
enum class SizeUnit : std::uint64_t { byte = 1, sector = 512 };

/// Parses a size as cryptsetup and qemu-img write it: "4096", "4096B", "1M" or "1MiB" (1048576
/// bytes), "1MB" (1000000 bytes), with K, M, G, T, P or E in upper or lower case. Returns it in
/// `unit`, at most `max`. invalid_argument: not a size, larger than `max`, or not a multiple of
/// `unit`; the message names the value, not the option.
Result<std::uint64_t> parse_size(std::string_view text, SizeUnit unit = SizeUnit::byte,
                                 std::uint64_t max = UINT64_MAX);

/// Parses a number without a unit, at most `max`. invalid_argument as for parse_size().
Result<std::uint64_t> parse_number(std::string_view text, std::uint64_t max = UINT64_MAX);

/// The shortest text with a binary unit that parse_size() reads as exactly `bytes`: 2^30 is "1G".
std::string size_text(std::uint64_t bytes);

/// For CLI::Option::transform(): rewrites a value to the plain number that parse_size() or
/// parse_number() reads. The parser puts the option's name before the message.
CLI::Validator size_value(SizeUnit unit, std::uint64_t max);
CLI::Validator number_value(std::uint64_t max);

namespace detail {
template <typename T>
struct Unwrapped {
  using type = T;
};
template <typename T>
struct Unwrapped<std::optional<T>> {
  using type = T;
};
template <typename T>
inline constexpr std::uint64_t kMaxOf =
    static_cast<std::uint64_t>(std::numeric_limits<typename Unwrapped<T>::type>::max());
}  // namespace detail

/// Adds an option whose value is a size: an unsigned number, or an optional of one. The type name
/// is BYTES or SECTORS, which is what a plain number counts.
template <typename T>
CLI::Option* add_size_option(CLI::App* command, const std::string& names, T& value,
                             const std::string& description, SizeUnit unit = SizeUnit::byte,
                             std::uint64_t max = detail::kMaxOf<T>) {
  return command->add_option(names, value, description)
      ->transform(size_value(unit, max))
      ->type_name(unit == SizeUnit::byte ? "BYTES" : "SECTORS");
}

/// Adds an option whose value is a number without a unit. The type name is N.
template <typename T>
CLI::Option* add_number_option(CLI::App* command, const std::string& names, T& value,
                               const std::string& description,
                               std::uint64_t max = detail::kMaxOf<T>) {
  return command->add_option(names, value, description)
      ->transform(number_value(max))
      ->type_name("N");
}

}  // namespace intact::console
