#pragma once

#include <array>
#include <cassert>
#include <cstdint>

namespace intact::verity::gf {

/// GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1, in logarithms to the base 2.
struct Tables {
  std::array<std::uint8_t, 510> power{};  ///< power[i] = 2^i, twice around
  std::array<std::uint8_t, 256> log{};    ///< log[0] has no meaning

  constexpr Tables() {
    unsigned x = 1;
    for (unsigned i = 0; i < 255; ++i) {
      power[i] = power[i + 255] = static_cast<std::uint8_t>(x);
      log[x] = static_cast<std::uint8_t>(i);
      x <<= 1;
      if (x & 0x100) x ^= 0x11d;
    }
  }
};
inline constexpr Tables kTables;

/// 2^exponent, for any exponent.
constexpr std::uint8_t power(unsigned exponent) {
  return kTables.power[exponent % 255];
}

constexpr std::uint8_t multiply(std::uint8_t a, std::uint8_t b) {
  return a == 0 || b == 0 ? std::uint8_t{0} : kTables.power[kTables.log[a] + kTables.log[b]];
}

/// `b` must not be 0.
constexpr std::uint8_t divide(std::uint8_t a, std::uint8_t b) {
  assert(b != 0);
  return a == 0 ? std::uint8_t{0} : kTables.power[kTables.log[a] + 255 - kTables.log[b]];
}

}  // namespace intact::verity::gf
