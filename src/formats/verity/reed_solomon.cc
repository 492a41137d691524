#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include <isa-l/erasure_code.h>

#include <intact/verity/reed_solomon.h>

#include "galois.h"
#include "rs_column.h"

namespace intact::verity {
namespace {

using Rows = std::span<std::byte* const>;

/// Columns without success after which Errors::probe gives up.
constexpr unsigned kMaxProbes = 64;

/// The library takes bytes as unsigned char and does not write to its sources.
unsigned char** as_rows(std::span<const std::byte* const> rows) {
  return const_cast<unsigned char**>(reinterpret_cast<const unsigned char* const*>(rows.data()));
}

std::vector<unsigned char> expand(unsigned columns, unsigned rows, std::span<std::uint8_t> matrix) {
  std::vector<unsigned char> tables(std::size_t{32} * columns * rows);
  ec_init_tables(static_cast<int>(columns), static_cast<int>(rows), matrix.data(), tables.data());
  return tables;
}

/// out[i] = sum of matrix[i][j] * in[j], for `length` bytes of each row.
void multiply(const std::vector<unsigned char>& tables, std::span<const std::byte* const> in,
              Rows out, std::size_t length) {
  ec_encode_data(static_cast<int>(length), static_cast<int>(in.size()),
                 static_cast<int>(out.size()), const_cast<unsigned char*>(tables.data()),
                 as_rows(in), as_rows({out.data(), out.size()}));
}

/// Row i: what message symbol j adds to parity symbol i, that is the coefficients of x^(254 - j)
/// modulo the generator polynomial.
std::vector<unsigned char> encode_tables(unsigned roots) {
  // Coefficients of the product of (x - 2^i), lowest power first, without the leading 1.
  std::vector<std::uint8_t> generator = {1};
  for (unsigned i = 0; i < roots; ++i) {
    generator.push_back(0);
    for (std::size_t k = generator.size(); k-- > 0;)
      generator[k] = static_cast<std::uint8_t>((k > 0 ? generator[k - 1] : 0) ^
                                               gf::multiply(generator[k], gf::power(i)));
  }
  const unsigned message = kCodewordSize - roots;
  std::vector<std::uint8_t> matrix(std::size_t{roots} * message);
  // x^roots modulo the generator, then times x for each earlier symbol.
  std::vector<std::uint8_t> remainder(generator.begin(), generator.end() - 1);
  for (unsigned j = message; j-- > 0;) {
    for (unsigned i = 0; i < roots; ++i) matrix[i * message + j] = remainder[roots - 1 - i];
    const std::uint8_t carry = remainder.back();
    for (unsigned k = roots; k-- > 0;)
      remainder[k] = static_cast<std::uint8_t>((k > 0 ? remainder[k - 1] : 0) ^
                                               gf::multiply(carry, generator[k]));
  }
  return expand(message, roots, matrix);
}

/// Row i: the codeword's polynomial at 2^i.
std::vector<unsigned char> syndrome_tables(unsigned roots) {
  std::vector<std::uint8_t> matrix(std::size_t{roots} * kCodewordSize);
  for (unsigned i = 0; i < roots; ++i)
    for (unsigned j = 0; j < kCodewordSize; ++j)
      matrix[i * kCodewordSize + j] = gf::power(i * (kCodewordSize - 1 - j));
  return expand(kCodewordSize, roots, matrix);
}

/// A block of rows of its own.
class RowBuffer {
 public:
  RowBuffer(std::size_t rows, std::size_t columns) : bytes_(rows * columns) {
    for (std::size_t i = 0; i < rows; ++i) rows_.push_back(bytes_.data() + i * columns);
  }
  Rows rows() const { return rows_; }
  std::span<const std::byte* const> rows_to_read() const {
    return {const_cast<const std::byte* const*>(rows_.data()), rows_.size()};
  }

 private:
  Bytes bytes_;
  std::vector<std::byte*> rows_;
};

/// Values of the errors in the erased rows, if all others are good: the rows of the inverse of the
/// Vandermonde matrix of their locators.
std::vector<std::uint8_t> erasure_matrix(std::span<const unsigned> erased) {
  const std::size_t n = erased.size();
  std::vector<std::uint8_t> vandermonde(n * n);
  std::vector<std::uint8_t> inverse(n * n);
  for (unsigned i = 0; i < n; ++i)
    for (std::size_t e = 0; e < n; ++e)
      vandermonde[i * n + e] = gf::power(i * (kCodewordSize - 1 - erased[e]));
  // Distinct locators: it always has an inverse.
  [[maybe_unused]] const int failed =
      gf_invert_matrix(vandermonde.data(), inverse.data(), static_cast<int>(n));
  assert(failed == 0);
  return inverse;
}

void add_to(std::byte* sum, const std::byte* values, std::size_t columns) {
  for (std::size_t c = 0; c < columns; ++c) sum[c] ^= values[c];
}

}  // namespace

ReedSolomon::ReedSolomon(unsigned roots)
    : roots_(roots),
      encode_tables_(encode_tables(roots)),
      syndrome_tables_(syndrome_tables(roots)) {
  assert(roots >= kMinRoots && roots <= kMaxRoots);
}

void ReedSolomon::encode(std::span<const std::byte* const> message, Rows parity,
                         std::size_t columns) const {
  assert(message.size() == message_size() && parity.size() == roots_);
  multiply(encode_tables_, message, parity, columns);
}

Bytes ReedSolomon::syndromes(std::span<const std::byte* const> rows, std::size_t columns) const {
  assert(rows.size() == kCodewordSize);
  Bytes syndromes(roots_ * columns);
  std::array<std::byte*, kMaxRoots> out;
  for (unsigned i = 0; i < roots_; ++i) out[i] = syndromes.data() + i * columns;
  multiply(syndrome_tables_, rows, Rows(out.data(), roots_), columns);
  return syndromes;
}

ReedSolomon::Corrections ReedSolomon::solve(ByteSpan syndromes, std::span<const unsigned> erased,
                                            std::size_t columns, Errors errors) const {
  assert(syndromes.size() == roots_ * columns);
  Corrections corrections;
  if (erased.size() > roots_) return corrections;
  const auto syndrome_row = [&](unsigned i) { return syndromes.data() + i * columns; };

  // As if the erased rows were all that is wrong: that corrects most columns, many at once.
  Bytes rest(syndromes.begin(), syndromes.end());  // the syndromes of what is then left
  if (!erased.empty()) {
    const auto n = static_cast<unsigned>(erased.size());
    auto inverse = erasure_matrix(erased);
    std::array<const std::byte*, kMaxRoots> in;
    for (unsigned i = 0; i < n; ++i) in[i] = syndrome_row(i);
    std::array<std::byte*, kMaxRoots> values;
    for (unsigned e = 0; e < n; ++e) {
      corrections[erased[e]].resize(columns);
      values[e] = corrections[erased[e]].data();
    }
    multiply(expand(n, n, inverse), {in.data(), n}, Rows(values.data(), n), columns);
    std::vector<std::uint8_t> locators(std::size_t{roots_} * n);
    for (unsigned i = 0; i < roots_; ++i)
      for (unsigned e = 0; e < n; ++e)
        locators[i * n + e] = gf::power(i * (kCodewordSize - 1 - erased[e]));
    const RowBuffer explained(roots_, columns);
    const std::array<const std::byte*, kMaxRoots> found = [&] {
      std::array<const std::byte*, kMaxRoots> rows{};
      std::copy_n(values.begin(), n, rows.begin());
      return rows;
    }();
    multiply(expand(n, roots_, locators), {found.data(), n}, explained.rows(), columns);
    for (unsigned i = 0; i < roots_; ++i)
      add_to(rest.data() + i * columns, explained.rows()[i], columns);
  }

  // Two syndromes are needed to find one error.
  const bool searches = errors != Errors::ignore && erased.size() + 2 <= roots_;
  unsigned failures = 0;
  bool succeeded = false;
  std::array<std::uint8_t, kMaxRoots> syndrome;
  for (std::size_t c = 0; c < columns; ++c) {
    bool explained = true;
    for (unsigned i = 0; i < roots_; ++i) explained &= rest[i * columns + c] == std::byte{0};
    if (explained) continue;
    // The erasures are not all that is wrong here, so their values are wrong as well.
    for (const unsigned row : erased) corrections[row][c] = std::byte{0};
    if (!searches || (errors == Errors::probe && !succeeded && failures >= kMaxProbes)) continue;
    for (unsigned i = 0; i < roots_; ++i)
      syndrome[i] = static_cast<std::uint8_t>(syndrome_row(i)[c]);
    const auto found = find_errors(std::span(syndrome).first(roots_), erased);
    if (found.empty()) ++failures;
    succeeded |= !found.empty();
    for (const ColumnError& error : found) {
      Bytes& row = corrections[error.row];
      if (row.empty()) row.resize(columns);
      row[c] = std::byte{error.value};
    }
  }
  return corrections;
}

void ReedSolomon::correct(Rows rows, std::span<const unsigned> erased, std::size_t columns,
                          Errors errors) const {
  if (erased.size() > roots_) return;
  const std::span<const std::byte* const> codewords(
      const_cast<const std::byte* const*>(rows.data()), rows.size());
  const Corrections corrections = solve(syndromes(codewords, columns), erased, columns, errors);
  for (unsigned row = 0; row < kCodewordSize; ++row)
    if (!corrections[row].empty()) add_to(rows[row], corrections[row].data(), columns);
}

}  // namespace intact::verity
