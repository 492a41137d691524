// No key is left in memory that is given back. Memory of all tests of this program is taken and
// given back by the functions below, which look at it for as long as a test asks them to.
#include <cstdlib>
#include <cstring>
#include <new>

#include <gtest/gtest.h>
#include <malloc.h>

#include <intact/crypto/block_mac.h>

namespace {

constexpr std::size_t kPattern = 16;  // bytes of a key that are looked for

struct Watch {
  std::byte patterns[3][kPattern];
  unsigned found = 0;
};
Watch* watch = nullptr;  // tests of this file have one thread

void look_at(const void* memory) {
  if (watch == nullptr || memory == nullptr) return;
  const std::size_t size = ::malloc_usable_size(const_cast<void*>(memory));
  for (const auto& pattern : watch->patterns)
    if (::memmem(memory, size, pattern, kPattern) != nullptr) ++watch->found;
}

}  // namespace

void* operator new(std::size_t size) {
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept {
  look_at(memory);
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  look_at(memory);
  std::free(memory);
}

namespace intact::crypto {
namespace {

/// Looks for a key, as it is and as HMAC uses it.
class WatchFor {
 public:
  explicit WatchFor(ByteSpan key) {
    constexpr std::byte kPads[] = {std::byte{0}, std::byte{0x36}, std::byte{0x5c}};
    for (std::size_t p = 0; p < 3; ++p)
      for (std::size_t i = 0; i < kPattern; ++i) watch_.patterns[p][i] = key[i] ^ kPads[p];
    watch = &watch_;
  }
  ~WatchFor() { watch = nullptr; }
  WatchFor(const WatchFor&) = delete;
  WatchFor& operator=(const WatchFor&) = delete;
  unsigned found() const { return watch_.found; }

 private:
  Watch watch_;
};

Bytes test_key(std::size_t size) {
  Bytes key(size);
  for (std::size_t i = 0; i < size; ++i) key[i] = static_cast<std::byte>(i * 37 + 11);
  return key;
}

TEST(WipedMemory, IsSeenWhereItIsNotWiped) {
  const Bytes key = test_key(32);
  const WatchFor watching(key);
  {
    const Bytes copy = key;
  }
  EXPECT_NE(watching.found(), 0u);
}

TEST(WipedMemory, HoldsNoKeyOfAMac) {
  // By our own kernels, by OpenSSL, by libgcrypt, by libsodium; a key longer than a block of input.
  for (const char* const name : {"hmac(sha256)", "hmac(sha512)", "hmac(sha1)", "hmac(sha3-256)",
                                 "hmac(blake2s-256)", "blake2b-256", "cmac(aes)"}) {
    for (const std::size_t size : {std::size_t{32}, std::size_t{300}}) {
      if (size > 32 && !std::string_view(name).starts_with("hmac")) continue;
      const Bytes key = test_key(size);
      const Bytes blocks(40 * 512), heads(40 * 8);
      const WatchFor watching(key);
      {
        const auto mac = BlockMac::create(name, key, 512, {.prefix = Bytes(16), .head_size = 8});
        ASSERT_TRUE(mac) << name << mac.error().message();
        Bytes digests(40 * (*mac)->digest_size());
        (*mac)->hash(blocks, heads, digests);
        (*mac)->hash(ByteSpan(blocks).first(512), ByteSpan(heads).first(8),
                     MutableByteSpan(digests).first((*mac)->digest_size()));
      }
      EXPECT_EQ(watching.found(), 0u) << name << " with a key of " << size;
    }
  }
}

}  // namespace
}  // namespace intact::crypto
