#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace intact::verity {

struct ColumnError {
  unsigned row;        ///< symbol of the codeword, 0 to 254
  std::uint8_t value;  ///< to be added to it
};

/// Decodes one codeword: the errors (with the erased rows that really are wrong) that explain its
/// syndromes, or none if no explanation has 2 * errors + erasures <= syndromes.size().
std::vector<ColumnError> find_errors(std::span<const std::uint8_t> syndromes,
                                     std::span<const unsigned> erased);

}  // namespace intact::verity
