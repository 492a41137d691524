#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace intact::integrity {

/// Takes eight bytes at a time into a reflected CRC of 32 bits ("slicing by 8"). For the eight
/// bytes before a block: for so few the set-up of ISA-L costs four times as much.
template <std::uint32_t kPolynomial>
class CrcWord {
 public:
  /// The state after `word`, whose first byte is the lowest. Nothing is inverted.
  static std::uint32_t update(std::uint32_t state, std::uint64_t word) {
    word ^= state;
    std::uint32_t next = 0;
    for (unsigned i = 0; i < 8; ++i) next ^= kTables[7 - i][word >> (8 * i) & 0xff];
    return next;
  }

 private:
  using Table = std::array<std::uint32_t, 256>;

  /// Table n: the remainder of a byte followed by n zero bytes.
  static constexpr std::array<Table, 8> make_tables() {
    std::array<Table, 8> tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      std::uint32_t state = byte;
      for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ (state & 1 ? kPolynomial : 0);
      tables[0][byte] = state;
    }
    for (std::size_t n = 1; n < tables.size(); ++n)
      for (std::size_t byte = 0; byte < 256; ++byte) {
        const std::uint32_t before = tables[n - 1][byte];
        tables[n][byte] = before >> 8 ^ tables[0][before & 0xff];
      }
    return tables;
  }
  static constexpr std::array<Table, 8> kTables = make_tables();
};

}  // namespace intact::integrity
