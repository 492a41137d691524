#include "message_hash.h"

#include <bit>

#include <fmt/format.h>
#include <isa-l/crc.h>
#define XXH_STATIC_LINKING_ONLY  // the state as a value: a message starts with a copy of it
#include <xxhash.h>

#include <intact/base/endian.h>
#include <intact/crypto/block_hasher.h>

#include "crc_word.h"

namespace intact::integrity {
namespace {

/// The Castagnoli polynomial, by the processor's own instruction.
struct Crc32c {
  using Value = std::uint32_t;
  static constexpr Value kStart = ~Value{0};
  explicit Crc32c(Value start) : state(start) {}
  void update(ByteSpan bytes) {
    // Nothing is written through the pointer.
    auto* const data =
        const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
    state = crc32_iscsi(data, static_cast<int>(bytes.size()), state);
  }
  void update(le64 word) { state = CrcWord<0x82f63b78>::update(state, word.get()); }
  le32 finish() const { return ~state; }
  Value state;
};

/// The kernel's "crc32": neither its start nor its end is inverted, unlike zlib's.
struct Crc32 {
  using Value = std::uint32_t;
  static constexpr Value kStart = 0;
  explicit Crc32(Value start) : state(start) {}
  void update(ByteSpan bytes) {
    state = ~crc32_gzip_refl(~state, reinterpret_cast<const unsigned char*>(bytes.data()),
                             bytes.size());
  }
  void update(le64 word) { state = CrcWord<0xedb88320>::update(state, word.get()); }
  le32 finish() const { return state; }
  Value state;
};

/// XXH64, its value little-endian (its canonical form is not).
struct Xxhash64 {
  using Value = std::uint64_t;
  static constexpr Value kStart = 0;
  explicit Xxhash64(Value seed) { XXH64_reset(&state, seed); }
  void update(ByteSpan bytes) {
    if (!bytes.empty()) XXH64_update(&state, bytes.data(), bytes.size());
  }
  void update(le64 word) { update(bytes_of(word)); }
  le64 finish() const { return XXH64_digest(&state); }
  XXH64_state_t state;
};

template <typename Function>
class Checksum final : public MessageHash {
 public:
  Checksum(typename Function::Value start, std::size_t block_size, crypto::MessageFrame frame)
      : start_(start), block_size_(block_size), frame_(std::move(frame)) {
    start_.update(frame_.prefix);
  }
  std::size_t digest_size() const override { return sizeof(typename Function::Value); }

  void hash(ByteSpan blocks, ByteSpan heads, MutableByteSpan digests) const override {
    for (std::size_t i = 0; i < blocks.size() / block_size_; ++i) {
      Function state = start_;
      const ByteSpan head = heads.subspan(i * frame_.head_size, frame_.head_size);
      if (head.size() == sizeof(le64))
        state.update(load<le64>(head, 0).value());
      else
        state.update(head);
      state.update(blocks.subspan(i * block_size_, block_size_));
      state.update(frame_.suffix);
      const auto value = state.finish();
      std::memcpy(digests.data() + i * sizeof value, &value, sizeof value);
    }
  }

 private:
  Function start_;  // the prefix is in it
  std::size_t block_size_;
  crypto::MessageFrame frame_;
};

template <typename Function>
Result<std::unique_ptr<const MessageHash>> make_checksum(const Algorithm& algorithm,
                                                         std::size_t block_size,
                                                         crypto::MessageFrame frame) {
  using Value = typename Function::Value;
  Value start = Function::kStart;
  if (const ByteSpan key = algorithm.key_bytes(); !key.empty()) {
    if (key.size() != sizeof(Value))
      return Error(ErrorKind::bad_secret, fmt::format("{} takes a key of {} bytes, not {}",
                                                      algorithm.name, sizeof(Value), key.size()));
    start = load<EndianField<Value, std::endian::little>>(key, 0).value().get();
  }
  return std::make_unique<const Checksum<Function>>(start, block_size, std::move(frame));
}

class MacMessages final : public MessageHash {
 public:
  explicit MacMessages(std::unique_ptr<const crypto::BlockMac> mac) : mac_(std::move(mac)) {}
  std::size_t digest_size() const override { return mac_->digest_size(); }
  void hash(ByteSpan blocks, ByteSpan heads, MutableByteSpan digests) const override {
    mac_->hash(blocks, heads, digests);
  }

 private:
  std::unique_ptr<const crypto::BlockMac> mac_;
};

}  // namespace

Result<std::unique_ptr<const MessageHash>> MessageHash::create(const Algorithm& algorithm,
                                                               std::size_t block_size,
                                                               crypto::MessageFrame frame) {
  if (algorithm.name == "crc32c")
    return make_checksum<Crc32c>(algorithm, block_size, std::move(frame));
  if (algorithm.name == "crc32")
    return make_checksum<Crc32>(algorithm, block_size, std::move(frame));
  if (algorithm.name == "xxhash64")
    return make_checksum<Xxhash64>(algorithm, block_size, std::move(frame));
  auto mac = TRY(crypto::BlockMac::create(algorithm.name, algorithm.key_bytes(), block_size,
                                          std::move(frame)));
  return std::make_unique<const MacMessages>(std::move(mac));
}

}  // namespace intact::integrity
