#include "rs_column.h"

#include <algorithm>
#include <array>
#include <cassert>

#include <isa-l/erasure_code.h>

#include <intact/verity/reed_solomon.h>

#include "galois.h"

namespace intact::verity {
namespace {

/// Coefficients, lowest power first. In place, because thousands of columns are decoded for a
/// block.
class Polynomial {
 public:
  Polynomial() = default;
  explicit Polynomial(std::size_t size) : size_(size) { assert(size <= kCapacity); }

  std::size_t size() const { return size_; }
  std::uint8_t& operator[](std::size_t i) { return coefficients_[i]; }
  std::uint8_t operator[](std::size_t i) const { return coefficients_[i]; }
  void resize(std::size_t size) {
    assert(size <= kCapacity);
    for (std::size_t i = size_; i < size; ++i) coefficients_[i] = 0;
    size_ = size;
  }
  void push_back(std::uint8_t value) {
    resize(size_ + 1);
    coefficients_[size_ - 1] = value;
  }

 private:
  // Degrees stay below the number of syndromes and erasures together.
  static constexpr std::size_t kCapacity = std::size_t{4} * kMaxRoots;
  std::array<std::uint8_t, kCapacity> coefficients_{};
  std::size_t size_ = 0;
};

std::uint8_t value_at(const Polynomial& p, std::uint8_t x) {
  std::uint8_t value = 0;
  for (std::size_t i = p.size(); i-- > 0;)
    value = static_cast<std::uint8_t>(gf::multiply(value, x) ^ p[i]);
  return value;
}

/// a + factor * x^shift * b
void add_multiple(Polynomial& a, const Polynomial& b, std::uint8_t factor, std::size_t shift) {
  if (a.size() < b.size() + shift) a.resize(b.size() + shift);
  for (std::size_t i = 0; i < b.size(); ++i)
    a[i + shift] = static_cast<std::uint8_t>(a[i + shift] ^ gf::multiply(factor, b[i]));
}

void trim(Polynomial& p) {
  while (p.size() > 1 && p[p.size() - 1] == 0) p.resize(p.size() - 1);
}

/// X_j: the locator of a row.
std::uint8_t locator(unsigned row) {
  return gf::power(kCodewordSize - 1 - row);
}

/// The product of (1 - X_e x) over the erased rows.
Polynomial erasure_locator(std::span<const unsigned> erased) {
  Polynomial p;
  p.push_back(1);
  for (const unsigned row : erased) {
    const Polynomial before = p;
    add_multiple(p, before, locator(row), 1);
  }
  return p;
}

/// Berlekamp and Massey's algorithm, begun with the erasures: the polynomial whose roots are the
/// inverse locators of errors and erasures together.
Polynomial error_locator(std::span<const std::uint8_t> syndromes,
                         std::span<const unsigned> erased) {
  Polynomial current = erasure_locator(erased);
  Polynomial previous = current;
  std::size_t length = erased.size();
  std::size_t shift = 1;
  std::uint8_t previous_discrepancy = 1;
  for (std::size_t r = erased.size(); r < syndromes.size(); ++r) {
    std::uint8_t discrepancy = 0;
    for (std::size_t i = 0; i < current.size() && i <= r; ++i)
      discrepancy =
          static_cast<std::uint8_t>(discrepancy ^ gf::multiply(current[i], syndromes[r - i]));
    if (discrepancy == 0) {
      ++shift;
      continue;
    }
    const Polynomial before = current;
    add_multiple(current, previous, gf::divide(discrepancy, previous_discrepancy), shift);
    if (2 * length <= r + erased.size()) {
      length = r + 1 + erased.size() - length;
      previous = before;
      previous_discrepancy = discrepancy;
      shift = 1;
    } else {
      ++shift;
    }
  }
  trim(current);
  return current;
}

// Places where a polynomial is evaluated: the inverse locators of all rows, and one that is unused.
constexpr std::size_t kPlaces = kCodewordSize + 1;
using Values = std::array<std::uint8_t, kPlaces>;

/// Row i: the inverse locators to the power of i.
const std::array<Values, kMaxRoots + 1>& place_powers() {
  static const auto powers = [] {
    std::array<Values, kMaxRoots + 1> table{};
    for (unsigned i = 0; i <= kMaxRoots; ++i)
      for (unsigned row = 0; row < kCodewordSize; ++row) table[i][row] = gf::power(i * (row + 1));
    return table;
  }();
  return powers;
}

/// The values of a polynomial at all inverse locators. Damage beyond correction makes this the most
/// frequent step by far, so all rows are computed at once.
Values values_at_rows(const Polynomial& p) {
  assert(p.size() <= kMaxRoots + 1);
  std::array<unsigned char, std::size_t{32} * (kMaxRoots + 1)> tables;
  std::array<unsigned char, kMaxRoots + 1> factors;
  std::array<unsigned char*, kMaxRoots + 1> powers;
  const auto& all = place_powers();
  for (std::size_t i = 0; i < p.size(); ++i) {
    factors[i] = p[i];
    powers[i] = const_cast<unsigned char*>(all[i].data());  // isa-l does not write there
  }
  const auto terms = static_cast<int>(p.size());
  Values values;
  unsigned char* out = values.data();
  ec_init_tables(terms, 1, factors.data(), tables.data());
  ec_encode_data(static_cast<int>(kPlaces), terms, 1, tables.data(), powers.data(), &out);
  return values;
}

}  // namespace

std::vector<ColumnError> find_errors(std::span<const std::uint8_t> syndromes,
                                     std::span<const unsigned> erased) {
  const Polynomial lambda = error_locator(syndromes, erased);
  const std::size_t degree = lambda.size() - 1;
  if (2 * degree > syndromes.size() + erased.size()) return {};
  const Values values = values_at_rows(lambda);
  const auto roots = std::count(values.begin(), values.begin() + kCodewordSize, std::uint8_t{0});
  if (static_cast<std::size_t>(roots) != degree) return {};  // no explanation

  // omega = S * lambda modulo x^n; the values follow by Forney's formula.
  Polynomial omega(syndromes.size());
  for (std::size_t i = 0; i < syndromes.size(); ++i)
    for (std::size_t k = 0; k < lambda.size() && i + k < syndromes.size(); ++k)
      omega[i + k] =
          static_cast<std::uint8_t>(omega[i + k] ^ gf::multiply(syndromes[i], lambda[k]));
  Polynomial derivative;
  for (std::size_t i = 1; i < lambda.size(); ++i)
    derivative.push_back(i % 2 == 1 ? lambda[i] : std::uint8_t{0});

  std::vector<ColumnError> errors;
  for (unsigned row = 0; row < kCodewordSize; ++row) {
    if (values[row] != 0) continue;
    const std::uint8_t inverse = gf::divide(1, locator(row));
    const std::uint8_t slope = value_at(derivative, inverse);
    if (slope == 0) return {};  // a double root: no explanation
    // First root 2^0: the value is X * omega(1/X) / lambda'(1/X).
    const std::uint8_t value =
        gf::multiply(locator(row), gf::divide(value_at(omega, inverse), slope));
    if (value != 0) errors.push_back({.row = row, .value = value});
  }
  return errors;
}

}  // namespace intact::verity
