#include "sha2_blocks.h"

#include <algorithm>
#include <span>
#include <utility>

namespace intact::crypto {
namespace {

template <class Word>
std::byte* put_big_endian(Word word, std::byte* out) {
  for (std::size_t i = sizeof word; i-- > 0;) *out++ = static_cast<std::byte>(word >> (8 * i));
  return out;
}

std::size_t input_blocks(std::size_t bytes, std::size_t input) {
  return (bytes + input - 1) / input;
}

}  // namespace

template <class Word>
Sha2Blocks<Word>::Sha2Blocks(const BlockShape& shape, std::vector<Sha2Step<Word>> steps,
                             std::unique_ptr<BlockEngine> rest)
    : steps_(std::move(steps)),
      rest_(std::move(rest)),
      block_size_(shape.block_size),
      head_size_(shape.frame.head_size) {
  const ByteSpan prefix = shape.frame.prefix;
  const std::size_t whole = prefix.size() - prefix.size() % kInput;
  make_midstate(prefix.first(whole));
  lead_.assign(prefix.begin() + whole, prefix.end());

  const std::size_t lead_size = lead_.size() + head_size_;
  lead_blocks_ = input_blocks(lead_size, kInput);
  lead_data_ = lead_blocks_ * kInput - lead_size;
  if (lead_data_ > block_size_) {
    // The block does not even complete the lead: all stands in the trail.
    lead_blocks_ = lead_data_ = 0;
    trail_own_ = lead_size + block_size_;
  } else {
    middle_blocks_ = (block_size_ - lead_data_) / kInput;
    trail_own_ = block_size_ - lead_data_ - middle_blocks_ * kInput;
  }
  make_trail(shape);
}

template <class Word>
Sha2Blocks<Word>::~Sha2Blocks() {
  wipe(lead_);
  wipe(std::as_writable_bytes(std::span(midstate_)));
}

template <class Word>
void Sha2Blocks<Word>::make_midstate(ByteSpan whole) {
  // Any kernel can do it: all its lanes do the same.
  const Sha2Kernel<Word>& kernel = *steps_.back().kernel;
  std::array<Word, 8 * kMaxLanes> state;
  std::array<const std::byte*, kMaxLanes> input;
  input.fill(whole.data());
  for (std::size_t i = 0; i < 8; ++i)
    std::fill_n(state.begin() + i * kernel.lanes, kernel.lanes, Sha2<Word>::kInitial[i]);
  kernel.compress(state.data(), input.data(), whole.size() / kInput);
  for (std::size_t i = 0; i < 8; ++i) midstate_[i] = state[i * kernel.lanes];
  wipe(std::as_writable_bytes(std::span(state)));
}

template <class Word>
void Sha2Blocks<Word>::make_trail(const BlockShape& shape) {
  const auto& [prefix, head_size, suffix] = shape.frame;
  // Behind the message: a bit that is set, zeros, the length in bits as a number of two words.
  const std::size_t used = trail_own_ + suffix.size();
  trail_.resize(input_blocks(used + 1 + 2 * sizeof(Word), kInput) * kInput);
  std::ranges::copy(suffix, trail_.begin() + static_cast<std::ptrdiff_t>(trail_own_));
  trail_[used] = std::byte{0x80};
  const std::uint64_t bytes = prefix.size() + head_size + block_size_ + suffix.size();
  put_big_endian(bytes << 3, trail_.data() + trail_.size() - 8);
  if constexpr (sizeof(Word) == 8) put_big_endian(bytes >> 61, trail_.data() + trail_.size() - 16);
}

template <class Word>
std::byte* Sha2Blocks<Word>::put_lead(const std::byte* head, std::byte* out) const {
  return std::copy_n(head, head_size_, std::ranges::copy(lead_, out).out);
}

/// Writes a message's lead and, if it has one of its own, its trail.
template <class Word>
void Sha2Blocks<Word>::compose(const std::byte* block, const std::byte* head,
                               std::byte* out) const {
  if (lead_blocks_ != 0) out = std::copy_n(block, lead_data_, put_lead(head, out));
  if (!has_own_trail()) return;
  std::ranges::copy(trail_, out);
  const std::size_t before = lead_data_ + middle_blocks_ * kInput;
  if (trail_own_ > block_size_ - before) out = put_lead(head, out);
  std::copy(block + before, block + block_size_, out);
}

/// At most as many messages as the kernel has lanes; lanes that are left over repeat the last.
template <class Word>
void Sha2Blocks<Word>::hash_group(const Sha2Kernel<Word>& kernel, const std::byte* blocks,
                                  const std::byte* heads, std::byte* digests, std::size_t count,
                                  Bytes& scratch) const {
  std::array<Word, 8 * kMaxLanes> state;
  for (std::size_t i = 0; i < 8; ++i)
    std::fill_n(state.begin() + i * kernel.lanes, kernel.lanes, midstate_[i]);
  const std::size_t composed = composed_size();
  if (composed != 0) {
    scratch.resize(kMaxLanes * composed);
    for (std::size_t i = 0; i < count; ++i)
      compose(blocks + i * block_size_, heads + i * head_size_, scratch.data() + i * composed);
  }

  std::array<const std::byte*, kMaxLanes> input;
  const auto compress = [&](const std::byte* first, std::size_t stride, std::size_t n) {
    if (n == 0) return;
    for (std::size_t lane = 0; lane < kernel.lanes; ++lane)
      input[lane] = first + std::min(lane, count - 1) * stride;
    kernel.compress(state.data(), input.data(), n);
  };
  compress(scratch.data(), composed, lead_blocks_);
  compress(blocks + lead_data_, block_size_, middle_blocks_);
  if (has_own_trail())
    compress(scratch.data() + lead_blocks_ * kInput, composed, trail_.size() / kInput);
  else
    compress(trail_.data(), 0, trail_.size() / kInput);
  // The block may be a key that is hashed to shorten it.
  wipe(MutableByteSpan(scratch).first(count * composed));

  for (std::size_t lane = 0; lane < count; ++lane)
    for (std::size_t i = 0; i < 8; ++i)
      digests = put_big_endian(state[i * kernel.lanes + lane], digests);
  wipe(std::as_writable_bytes(std::span(state)).first(8 * kernel.lanes * sizeof(Word)));
}

template <class Word>
void Sha2Blocks<Word>::hash(const std::byte* blocks, const std::byte* heads, std::byte* digests,
                            std::size_t count) const {
  Bytes scratch;
  auto step = steps_.begin();
  while (count != 0) {
    while (step != steps_.end() && step->least > count) ++step;
    if (step == steps_.end()) return rest_->hash(blocks, heads, digests, count);
    const std::size_t n = std::min(count, step->kernel->lanes);
    hash_group(*step->kernel, blocks, heads, digests, n, scratch);
    blocks += n * block_size_;
    heads += n * head_size_;
    digests += n * kDigest;
    count -= n;
  }
}

template class Sha2Blocks<std::uint32_t>;
template class Sha2Blocks<std::uint64_t>;

}  // namespace intact::crypto
