#pragma once

#include <concepts>
#include <optional>

namespace intact {

/// Arithmetic on numbers that come from outside: nothing instead of a wrapped result.
template <std::integral T>
constexpr std::optional<T> checked_add(T a, T b) {
  T sum;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

template <std::integral T>
constexpr std::optional<T> checked_multiply(T a, T b) {
  T product;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

/// `value` rounded up to a multiple of `unit`, which must not be 0.
template <std::unsigned_integral T>
constexpr std::optional<T> checked_align_up(T value, T unit) {
  const auto padded = checked_add<T>(value, unit - 1);
  if (!padded) return std::nullopt;
  return *padded - *padded % unit;
}

/// The same for numbers that are known to be small: wraps silently.
template <std::unsigned_integral T>
constexpr T align_up(T value, T unit) {
  return (value + unit - 1) / unit * unit;
}

template <std::unsigned_integral T>
constexpr T divide_up(T value, T unit) {
  return value / unit + (value % unit != 0);
}

}  // namespace intact
