#pragma once

#include <cstdint>
#include <cstring>

#include <intact/base/bytes.h>

namespace intact::integrity {

/// Compares tags in a time that depends on their sizes only, so that an attacker who can time
/// failing reads learns nothing about the right tag. Works on many bytes at a time because
/// every read ends here.
inline bool equal_tags(ByteSpan a, ByteSpan b) {
  if (a.size() != b.size()) return false;
  // A vector register at a time, two of them in flight.
  using Vector [[gnu::vector_size(16)]] = std::uint64_t;
  const auto differ = [x = a.data(), y = b.data()](std::size_t at) {
    Vector left, right;
    std::memcpy(&left, x + at, sizeof left);
    std::memcpy(&right, y + at, sizeof right);
    return left ^ right;
  };
  Vector even{}, odd{};
  std::size_t at = 0;
  for (; at + 2 * sizeof(Vector) <= a.size(); at += 2 * sizeof(Vector)) {
    even |= differ(at);
    odd |= differ(at + sizeof(Vector));
  }
  even |= odd;
  std::uint64_t difference = even[0] | even[1];
  for (; at < a.size(); ++at) difference |= std::to_integer<std::uint64_t>(a[at] ^ b[at]);
  // Hides the value from the compiler, which could otherwise leave the loop at the first
  // difference.
  asm volatile("" : "+r"(difference));
  return difference == 0;
}

}  // namespace intact::integrity
