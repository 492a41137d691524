#include <algorithm>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include <intact/verity/reed_solomon.h>

#include "galois.h"

namespace intact::verity {
namespace {

/// 255 rows of some columns.
struct Codewords {
  explicit Codewords(std::size_t n) : columns(n), bytes(kCodewordSize * n) {
    for (unsigned i = 0; i < kCodewordSize; ++i) rows.push_back(bytes.data() + i * n);
  }
  Codewords(const Codewords&) = delete;
  Codewords& operator=(const Codewords&) = delete;

  void fill(const ReedSolomon& code, std::mt19937& random) {
    for (std::byte& b : bytes) b = static_cast<std::byte>(random());
    std::vector<const std::byte*> message(rows.begin(), rows.begin() + code.message_size());
    code.encode(message, std::span(rows).subspan(code.message_size()), columns);
  }

  std::size_t columns;
  Bytes bytes;
  std::vector<std::byte*> rows;
};

std::vector<unsigned> some_rows(std::size_t count, std::mt19937& random) {
  std::vector<unsigned> rows(kCodewordSize);
  std::iota(rows.begin(), rows.end(), 0u);
  std::shuffle(rows.begin(), rows.end(), random);
  rows.resize(count);
  return rows;
}

/// The remainder of the message times x^roots, by long division: the definition of the code.
std::vector<std::uint8_t> parity_by_definition(const Codewords& words, std::size_t column,
                                               unsigned roots) {
  std::vector<std::uint8_t> generator = {1};  // highest power first
  for (unsigned i = 0; i < roots; ++i) {
    std::vector<std::uint8_t> product(generator.size() + 1);
    for (std::size_t k = 0; k < generator.size(); ++k) {
      product[k] = static_cast<std::uint8_t>(product[k] ^ generator[k]);
      product[k + 1] =
          static_cast<std::uint8_t>(product[k + 1] ^ gf::multiply(generator[k], gf::power(i)));
    }
    generator = product;
  }
  std::vector<std::uint8_t> dividend(kCodewordSize);
  for (unsigned j = 0; j < kCodewordSize - roots; ++j)
    dividend[j] = static_cast<std::uint8_t>(words.rows[j][column]);
  for (unsigned j = 0; j < kCodewordSize - roots; ++j)
    for (unsigned k = roots; k-- > 0;)
      dividend[j + k + 1] = static_cast<std::uint8_t>(dividend[j + k + 1] ^
                                                      gf::multiply(dividend[j], generator[k + 1]));
  return {dividend.end() - roots, dividend.end()};
}

TEST(ReedSolomon, EncodesAsDefined) {
  std::mt19937 random(1);
  for (unsigned roots = kMinRoots; roots <= kMaxRoots; ++roots) {
    const ReedSolomon code(roots);
    for (const std::size_t columns : {1, 31, 64, 100}) {
      Codewords words(columns);
      words.fill(code, random);
      for (std::size_t c = 0; c < columns; ++c) {
        const auto expected = parity_by_definition(words, c, roots);
        for (unsigned i = 0; i < roots; ++i)
          ASSERT_EQ(static_cast<std::uint8_t>(words.rows[code.message_size() + i][c]), expected[i])
              << roots << " roots, column " << c;
      }
    }
  }
}

TEST(ReedSolomon, CorrectsErrorsAndErasuresUpToItsBound) {
  std::mt19937 random(2);
  for (unsigned roots = kMinRoots; roots <= kMaxRoots; ++roots) {
    const ReedSolomon code(roots);
    for (unsigned erasures = 0; erasures <= roots; ++erasures) {
      const std::size_t columns = 40;
      Codewords words(columns);
      words.fill(code, random);
      const Bytes good = words.bytes;
      const auto erased = some_rows(erasures, random);
      for (std::size_t c = 0; c < columns; ++c) {
        for (const unsigned row : erased)
          if (random() % 4 != 0) words.rows[row][c] = static_cast<std::byte>(random());
        for (const unsigned row : some_rows((roots - erasures) / 2, random))
          if (random() % 4 != 0) words.rows[row][c] ^= static_cast<std::byte>(1 + random() % 255);
      }
      code.correct(words.rows, erased, columns);
      ASSERT_EQ(words.bytes, good) << roots << " roots, " << erasures << " erasures";
    }
  }
}

TEST(ReedSolomon, LeavesGoodCodewordsAlone) {
  std::mt19937 random(3);
  const ReedSolomon code(2);
  Codewords words(64);
  words.fill(code, random);
  const Bytes good = words.bytes;
  code.correct(words.rows, {}, 64);
  EXPECT_EQ(words.bytes, good);
  code.correct(words.rows, std::vector<unsigned>{3, 254}, 64);
  EXPECT_EQ(words.bytes, good);
}

TEST(ReedSolomon, DoesNotCorrectBeyondItsBound) {
  std::mt19937 random(4);
  for (const unsigned roots : {2u, 3u, 8u, 24u}) {
    const ReedSolomon code(roots);
    Codewords words(1);
    words.fill(code, random);
    const Bytes good = words.bytes;
    // One error more than can be found, and one erasure more than can be filled.
    for (const unsigned row : some_rows(roots / 2 + 1, random))
      words.rows[row][0] ^= std::byte{0x5a};
    code.correct(words.rows, {}, 1);
    EXPECT_NE(words.bytes, good);

    words.bytes = good;
    const auto erased = some_rows(roots + 1, random);
    for (const unsigned row : erased) words.rows[row][0] ^= std::byte{0x5a};
    const Bytes damaged = words.bytes;
    code.correct(words.rows, erased, 1);
    EXPECT_EQ(words.bytes, damaged);
  }
}

}  // namespace
}  // namespace intact::verity
