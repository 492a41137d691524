#include <sodium/crypto_generichash_blake2b.h>

#include <intact/crypto/secret.h>

#include "block_mac_kinds.h"
#include "sodium_library.h"

namespace intact::crypto {
namespace {

/// BLAKE2b by libsodium: OpenSSL 3.0 knows one digest size only, and no keys.
class Blake2b final : public BlockMac {
 public:
  Blake2b(std::size_t digest_size, ByteSpan key, std::size_t block_size, MessageFrame frame)
      : digest_size_(digest_size), block_size_(block_size), frame_(std::move(frame)) {
    crypto_generichash_blake2b_init(&start_, key.empty() ? nullptr : bytes(key), key.size(),
                                    digest_size);
    update(start_, frame_.prefix);
  }
  ~Blake2b() override { wipe(start_); }
  Blake2b(const Blake2b&) = delete;
  Blake2b& operator=(const Blake2b&) = delete;

  std::size_t digest_size() const override { return digest_size_; }

  void hash(ByteSpan blocks, ByteSpan heads, MutableByteSpan digests) const override {
    State state;
    for (std::size_t i = 0; i < blocks.size() / block_size_; ++i) {
      state = start_;
      update(state, heads.subspan(i * frame_.head_size, frame_.head_size));
      update(state, blocks.subspan(i * block_size_, block_size_));
      update(state, frame_.suffix);
      crypto_generichash_blake2b_final(
          &state, reinterpret_cast<unsigned char*>(digests.data() + i * digest_size_),
          digest_size_);
    }
    wipe(state);
  }

 private:
  using State = crypto_generichash_blake2b_state;

  static const unsigned char* bytes(ByteSpan span) {
    return reinterpret_cast<const unsigned char*>(span.data());
  }
  static void wipe(State& state) {
    crypto::wipe({reinterpret_cast<std::byte*>(&state), sizeof state});
  }
  static void update(State& state, ByteSpan span) {
    if (!span.empty()) crypto_generichash_blake2b_update(&state, bytes(span), span.size());
  }

  std::size_t digest_size_;
  std::size_t block_size_;
  MessageFrame frame_;
  State start_;  // the key and the prefix are in it
};

}  // namespace

std::size_t blake2b_size(std::string_view name) {
  if (name == "blake2b-160") return 20;
  if (name == "blake2b-256") return 32;
  if (name == "blake2b-384") return 48;
  if (name == "blake2b-512") return 64;
  return 0;
}

Result<std::unique_ptr<const BlockMac>> make_blake2b(std::size_t digest_size, ByteSpan key,
                                                     std::size_t block_size, MessageFrame frame) {
  if (key.size() > crypto_generichash_blake2b_KEYBYTES_MAX)
    return Error(ErrorKind::bad_secret, "BLAKE2b takes keys of up to 64 bytes");
  require_sodium();
  return std::make_unique<const Blake2b>(digest_size, key, block_size, std::move(frame));
}

}  // namespace intact::crypto
