#pragma once

#include <array>
#include <memory>
#include <vector>

#include "block_engine.h"
#include "sha2_constants.h"
#include "sha2_kernel.h"

namespace intact::crypto {

/// A kernel and the number of messages from which on it is worth its lanes, used or not.
template <class Word>
struct Sha2Step {
  const Sha2Kernel<Word>* kernel;
  std::size_t least;
};

/// Blocks hashed by kernels. The compression function sees a message as input blocks of its own
/// size:
///
///     prefix    its whole input blocks: the midstate, computed once
///     lead      the rest of the prefix, the head, and the beginning of the block
///     middle    input blocks within the block, read where they are
///     trail     the rest of the block, suffix, padding; one copy for all messages if there is no
///     rest
template <class Word>
class Sha2Blocks final : public BlockEngine {
 public:
  /// The first step that has enough messages is taken, again and again. `rest` is for what is too
  /// few for all of them; null if the last step is content with one.
  Sha2Blocks(const BlockShape& shape, std::vector<Sha2Step<Word>> steps,
             std::unique_ptr<BlockEngine> rest);

  /// Wipes what was made of the prefix: a key may be in it.
  ~Sha2Blocks() override;
  Sha2Blocks(const Sha2Blocks&) = delete;
  Sha2Blocks& operator=(const Sha2Blocks&) = delete;

  void hash(const std::byte* blocks, const std::byte* heads, std::byte* digests,
            std::size_t count) const override;

 private:
  static constexpr std::size_t kInput = Sha2<Word>::kBlock;
  static constexpr std::size_t kDigest = 8 * sizeof(Word);

  void hash_group(const Sha2Kernel<Word>& kernel, const std::byte* blocks, const std::byte* heads,
                  std::byte* digests, std::size_t count, Bytes& scratch) const;
  void make_midstate(ByteSpan whole);
  void make_trail(const BlockShape& shape);
  void compose(const std::byte* block, const std::byte* head, std::byte* out) const;
  std::byte* put_lead(const std::byte* head, std::byte* out) const;
  bool has_own_trail() const { return trail_own_ != 0; }
  std::size_t composed_size() const {
    return lead_blocks_ * kInput + (has_own_trail() ? trail_.size() : 0);
  }

  std::vector<Sha2Step<Word>> steps_;
  std::unique_ptr<BlockEngine> rest_;
  std::size_t block_size_;
  std::size_t head_size_;
  std::array<Word, 8> midstate_;
  Bytes lead_;  ///< of the prefix, what does not fill an input block
  std::size_t lead_blocks_ = 0;
  std::size_t lead_data_ = 0;  ///< bytes of the block that stand in the lead
  std::size_t middle_blocks_ = 0;
  Bytes trail_;                ///< with suffix and padding in their places
  std::size_t trail_own_ = 0;  ///< bytes at its front that are each message's own
};

extern template class Sha2Blocks<std::uint32_t>;
extern template class Sha2Blocks<std::uint64_t>;

}  // namespace intact::crypto
