// No key is left in memory that is released. All tests of this program, and the libraries that have
// states of their own, allocate and release memory by the functions below, which search it for as
// long as a test asks them to.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include <gcrypt.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <openssl/crypto.h>

#include <intact/crypto/block_hasher.h>
#include <intact/crypto/hash.h>
#include <intact/crypto/kdf.h>
#include <intact/crypto/sector_cipher.h>

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

void released(void* memory) {
  look_at(memory);
  std::free(memory);
}

void* resized(void* memory, std::size_t size) {
  void* const larger = std::malloc(size);
  if (memory == nullptr || larger == nullptr) return larger;
  std::memcpy(larger, memory, std::min(size, ::malloc_usable_size(memory)));
  released(memory);
  return larger;
}

/// Before either library allocates anything.
const bool hooked = [] {
  gcry_set_allocation_handler(
      std::malloc, std::malloc, [](const void*) { return 0; }, resized, released);
  return CRYPTO_set_mem_functions(
             [](std::size_t size, const char*, int) { return std::malloc(size); },
             [](void* memory, std::size_t size, const char*, int) -> void* {
               if (size != 0) return resized(memory, size);
               released(memory);
               return nullptr;
             },
             [](void* memory, const char*, int) { released(memory); }) == 1;
}();

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

TEST(WipedMemory, OfOpensslIsSeen) {
  ASSERT_TRUE(hooked);
  const Bytes key = test_key(32);
  const WatchFor watching(key);
  void* const copy = OPENSSL_malloc(key.size());
  std::memcpy(copy, key.data(), key.size());
  OPENSSL_free(copy);
  EXPECT_NE(watching.found(), 0u);
}

// The digest of a key is the key of ESSIV, and that of a long key the one of HMAC.
TEST(WipedMemory, HoldsNeitherAKeyNorItsHash) {
  for (const HashAlgorithm algorithm : {HashAlgorithm::sha256, HashAlgorithm::sha512}) {
    const Bytes key = test_key(48);  // in the state's buffer until the hash is finished
    Bytes digest(64);
    {
      const Digest once = hash(algorithm, key);
      std::ranges::copy(once.bytes(), digest.begin());
    }
    // The state has it as words in the machine's order.
    const std::size_t word = algorithm == HashAlgorithm::sha256 ? 4 : 8;
    for (std::size_t i = 0; i < digest.size(); i += word)
      std::reverse(digest.data() + i, digest.data() + i + word);
    const WatchFor watching(key);
    {
      Hasher hasher(algorithm);
      hasher.update(key);
    }
    EXPECT_EQ(watching.found(), 0u) << "abandoned";
    const WatchFor watching_digest(digest);
    {
      Hasher hasher(algorithm);
      hasher.update(key);
      (void)hasher.finish();
    }
    EXPECT_EQ(watching_digest.found(), 0u) << "finished";
  }
}

TEST(WipedMemory, HoldsNoPassword) {
  const Bytes password = test_key(40);
  const WatchFor watching(password);
  const Secret secret = Secret::copy_of(password);
  const Bytes salt(32);
  for (const char* const hash : {"sha1", "sha256", "sha512", "whirlpool"})
    EXPECT_TRUE(pbkdf2(hash, secret, salt, 2, 64)) << hash;
  EXPECT_TRUE(pbkdf2("sha256", secret, {}, 2, 64));
  EXPECT_TRUE(scrypt(secret, salt, {.n = 16, .r = 1, .p = 1}, 64));
  EXPECT_TRUE(argon2(secret, salt, {Argon2Type::argon2id, 1, 32, 2}, 64));
  EXPECT_EQ(watching.found(), 0u);
}

TEST(WipedMemory, HoldsNoKeyOfACipher) {
  for (const auto& [name, size] : {std::pair<const char*, std::size_t>{"xts(aes)", 64},
                                   {"cbc(serpent)", 32},
                                   {"ecb(twofish)", 16},
                                   {"chacha20", 32}}) {
    const Bytes key = test_key(size);
    const WatchFor watching(key);
    {
      const auto cipher = SectorCipher::create(name, key);
      ASSERT_TRUE(cipher) << cipher.error().message();
      Bytes bytes(4096);
      (*cipher)->encrypt(Bytes(8 * (*cipher)->iv_size()), bytes, bytes);
    }
    EXPECT_EQ(watching.found(), 0u) << name;
  }
  for (const auto& [name, size] : {std::pair<const char*, std::size_t>{"gcm(aes)", 32},
                                   {"rfc4309(ccm(aes))", 19},
                                   {"rfc7539(chacha20,poly1305)", 32},
                                   {"authenc(hmac(sha256),xts(aes))", 96}}) {
    const Bytes key = test_key(size);
    const WatchFor watching(ByteSpan(key).last(16));  // the end is the part of salts and MACs
    {
      const auto cipher = SectorAead::create(name, key, {});
      ASSERT_TRUE(cipher) << cipher.error().message();
      Bytes bytes(512), tag((*cipher)->tag_size());
      (*cipher)->encrypt(Bytes((*cipher)->iv_size()), Bytes(8), bytes, bytes, tag);
      (void)(*cipher)->decrypt(Bytes((*cipher)->iv_size()), Bytes(8), bytes, tag, bytes);
    }
    EXPECT_EQ(watching.found(), 0u) << name;
  }
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
