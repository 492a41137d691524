#include <algorithm>
#include <bit>

#include <intact/base/endian.h>

#include "iv_mode.h"

namespace intact::crypt {
namespace {

void copy(ByteSpan bytes, MutableByteSpan out) {
  std::ranges::copy(bytes.first(std::min(bytes.size(), out.size())), out.begin());
}

/// In the last bytes of the IV.
void copy_last(std::uint64_t number, MutableByteSpan iv) {
  const be64 bytes(number);
  std::ranges::copy(bytes_of(bytes), iv.last(sizeof bytes).begin());
}

void null_iv(std::uint64_t, MutableByteSpan) {}
void plain_iv(std::uint64_t number, MutableByteSpan iv) {
  copy(bytes_of(le32(static_cast<std::uint32_t>(number))), iv);
}
void plain64_iv(std::uint64_t number, MutableByteSpan iv) {
  copy(bytes_of(le64(number)), iv);
}

using WriteIv = void (*)(std::uint64_t number, MutableByteSpan zeroed_iv);

/// Each IV is a function of the number, shifted by `shift` and raised by `add`.
class CountingIvs final : public IvMode {
 public:
  CountingIvs(WriteIv write, std::size_t iv_size, unsigned shift = 0, std::uint64_t add = 0)
      : write_(write), iv_size_(iv_size), shift_(shift), add_(add) {}

  void before_encryption(const Run& run, MutableByteSpan, MutableByteSpan ivs) const override {
    std::ranges::fill(ivs, std::byte{0});
    for (std::size_t i = 0; i < ivs.size() / iv_size_; ++i)
      write_((run.number(i) << shift_) + add_, ivs.subspan(i * iv_size_, iv_size_));
  }
  void before_decryption(const Run& run, MutableByteSpan sectors,
                         MutableByteSpan ivs) const override {
    before_encryption(run, sectors, ivs);
  }

 private:
  WriteIv write_;
  std::size_t iv_size_;
  unsigned shift_;
  std::uint64_t add_;
};

}  // namespace

std::unique_ptr<const IvMode> make_counting_ivs(std::string_view name, std::size_t iv_size,
                                                std::size_t block_size) {
  const auto make = [iv_size](WriteIv write, unsigned shift = 0, std::uint64_t add = 0) {
    return std::make_unique<const CountingIvs>(write, iv_size, shift, add);
  };
  if (name == "null") return make(null_iv);
  if (name == "plain") return make(plain_iv);
  if (name == "plain64" || name == "essiv") return make(plain64_iv);
  if (name == "plain64be") return make(copy_last);
  // The number of the first block of the cipher in the sector, from 1. For what is not a block
  // cipher the block is a byte.
  if (name == "benbi" && std::has_single_bit(block_size) && block_size <= 512)
    return make(copy_last, 9 - static_cast<unsigned>(std::countr_zero(block_size)), 1);
  return nullptr;
}

}  // namespace intact::crypt
