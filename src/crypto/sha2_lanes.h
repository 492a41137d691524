#pragma once

#include <cstddef>
#include <utility>

#include "sha2_constants.h"
#include "sha2_kernel.h"

// Included only by translation units that are compiled for one kind of processor. What they
// instantiate must stay theirs, or the linker might take it for everybody: so the template's
// argument V has to be of an unnamed namespace, and nothing of the standard library that has code
// may be used here.

namespace intact::crypto {

/// SHA-2 of many messages at once: element l of each vector belongs to message l. One such
/// computation is a long chain of operations that wait for each other, so V::kSets of them run
/// interleaved, each with V::kLanes messages.
///
/// V: Word, Vector, kLanes, kSets; add, xor3, choose, majority, rotate<n>, shift<n>, fill(word),
/// load(words) and store(words, vector) of kLanes words, and
/// transpose(input, offset, w): w[i] = big-endian word i of the block at byte `offset` of each
/// lane.
template <class V>
class Sha2Lanes {
  using Word = typename V::Word;
  using Vector = typename V::Vector;
  using Numbers = Sha2<Word>;
  static constexpr std::size_t kLanes = V::kLanes;
  static constexpr std::size_t kMessages = kLanes * V::kSets;

 public:
  static void compress(Word* state, const std::byte* const* input, std::size_t blocks) {
    Vector saved[V::kSets][8];
    for (std::size_t set = 0; set < V::kSets; ++set)
      for (std::size_t i = 0; i < 8; ++i)
        saved[set][i] = V::load(state + i * kMessages + set * kLanes);

    for (std::size_t block = 0; block < blocks; ++block) {
      Vector w[V::kSets][16];
      Vector s[V::kSets][8];
      for (std::size_t set = 0; set < V::kSets; ++set) {
        V::transpose(input + set * kLanes, block * Numbers::kBlock, w[set]);
        for (std::size_t i = 0; i < 8; ++i) s[set][i] = saved[set][i];
      }
      rounds<false>(s, w, Numbers::kRound, std::make_index_sequence<16>());
      for (unsigned done = 16; done < Numbers::kRounds; done += 16)
        rounds<true>(s, w, Numbers::kRound + done, std::make_index_sequence<16>());
      for (std::size_t set = 0; set < V::kSets; ++set)
        for (std::size_t i = 0; i < 8; ++i) saved[set][i] = V::add(saved[set][i], s[set][i]);
    }

    for (std::size_t set = 0; set < V::kSets; ++set)
      for (std::size_t i = 0; i < 8; ++i)
        V::store(state + i * kMessages + set * kLanes, saved[set][i]);
  }

  static constexpr Sha2Kernel<Word> kKernel{kMessages, compress};

 private:
  using States = Vector[V::kSets][8];
  using Schedules = Vector[V::kSets][16];

  template <bool kExpand, std::size_t... kIndex>
  [[gnu::always_inline]] static inline void rounds(States& s, Schedules& w, const Word* constants,
                                                   std::index_sequence<kIndex...>) {
    (one_round<kExpand, kIndex>(s, w, constants[kIndex]), ...);
  }

  template <bool kExpand, std::size_t i>
  [[gnu::always_inline]] static inline void one_round(States& s, Schedules& w, Word constant) {
    const Vector k = V::fill(constant);
    one_round<kExpand, i>(s[0], w[0], k);
    if constexpr (V::kSets == 2) one_round<kExpand, i>(s[1], w[1], k);
  }

  /// Round i of sixteen. The eight words of the state change their names instead of their places.
  template <bool kExpand, std::size_t i>
  [[gnu::always_inline]] static inline void one_round(Vector (&s)[8], Vector (&w)[16], Vector k) {
    Vector& word = w[i];
    if constexpr (kExpand)
      word = V::add(V::add(word, small<Numbers::kSmall0>(w[(i + 1) % 16])),
                    V::add(w[(i + 9) % 16], small<Numbers::kSmall1>(w[(i + 14) % 16])));
    const Vector a = s[(0 - i) % 8], b = s[(1 - i) % 8], c = s[(2 - i) % 8];
    const Vector e = s[(4 - i) % 8], f = s[(5 - i) % 8], g = s[(6 - i) % 8];
    Vector &d = s[(3 - i) % 8], &h = s[(7 - i) % 8];
    h = V::add(V::add(h, V::add(k, word)), V::add(big<Numbers::kBig1>(e), V::choose(e, f, g)));
    d = V::add(d, h);
    h = V::add(h, V::add(big<Numbers::kBig0>(a), V::majority(a, b, c)));
  }

  template <const unsigned (&kBy)[3]>
  [[gnu::always_inline]] static inline Vector big(Vector x) {
    return V::xor3(V::template rotate<kBy[0]>(x), V::template rotate<kBy[1]>(x),
                   V::template rotate<kBy[2]>(x));
  }
  template <const unsigned (&kBy)[3]>
  [[gnu::always_inline]] static inline Vector small(Vector x) {
    return V::xor3(V::template rotate<kBy[0]>(x), V::template rotate<kBy[1]>(x),
                   V::template shift<kBy[2]>(x));
  }
};

}  // namespace intact::crypto
