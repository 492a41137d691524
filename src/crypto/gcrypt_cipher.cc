#include "gcrypt_cipher.h"

#include <algorithm>

#include <gcrypt.h>

#include "gcrypt_library.h"

namespace intact::crypto {
namespace {

constexpr BlockCipher kBlockCiphers[] = {
    {"aes", 16, GCRY_CIPHER_AES128},
    {"aes", 24, GCRY_CIPHER_AES192},
    {"aes", 32, GCRY_CIPHER_AES256},
    {"serpent", 16, GCRY_CIPHER_SERPENT128},
    {"serpent", 24, GCRY_CIPHER_SERPENT192},
    {"serpent", 32, GCRY_CIPHER_SERPENT256},
    {"twofish", 16, GCRY_CIPHER_TWOFISH128},
    {"twofish", 32, GCRY_CIPHER_TWOFISH},
    {"camellia", 16, GCRY_CIPHER_CAMELLIA128},
    {"camellia", 24, GCRY_CIPHER_CAMELLIA192},
    {"camellia", 32, GCRY_CIPHER_CAMELLIA256},
    {"sm4", 16, GCRY_CIPHER_SM4},
    {"seed", 16, GCRY_CIPHER_SEED},
    {"cast5", 16, GCRY_CIPHER_CAST5},
    {"blowfish", 16, GCRY_CIPHER_BLOWFISH},
    {"des3_ede", 24, GCRY_CIPHER_3DES},
};

}  // namespace

std::size_t BlockCipher::block_size() const {
  return gcry_cipher_get_algo_blklen(algorithm);
}

std::vector<BlockCipher> block_ciphers(std::string_view name) {
  require_gcrypt();
  std::vector<BlockCipher> found;
  for (const BlockCipher& cipher : kBlockCiphers)
    if (cipher.name == name && gcry_cipher_test_algo(cipher.algorithm) == 0)
      found.push_back(cipher);
  return found;
}

std::string block_cipher_names() {
  std::string names;
  std::string_view last;
  for (const BlockCipher& cipher : kBlockCiphers) {
    if (cipher.name == last) continue;
    names.append(names.empty() ? "" : ", ").append(cipher.name);
    last = cipher.name;
  }
  return names;
}

std::unique_ptr<GcryptCipher> GcryptCipher::create(int algorithm, int mode, ByteSpan key) {
  require_gcrypt();
  std::unique_ptr<GcryptCipher> cipher(new GcryptCipher(algorithm, mode, key));
  gcry_cipher_hd_t first = cipher->open();
  if (first == nullptr) return nullptr;
  cipher->give_back(first);
  return cipher;
}

GcryptCipher::~GcryptCipher() {
  for (gcry_cipher_hd_t handle : idle_) gcry_cipher_close(handle);
}

gcry_cipher_hd_t GcryptCipher::open() const {
  gcry_cipher_hd_t handle = nullptr;
  if (gcry_cipher_open(&handle, algorithm_, mode_, 0) != 0) return nullptr;
  if (gcry_cipher_setkey(handle, key_.expose().data(), key_.size()) == 0) return handle;
  gcry_cipher_close(handle);
  return nullptr;
}

gcry_cipher_hd_t GcryptCipher::take() const {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      gcry_cipher_hd_t handle = idle_.back();
      idle_.pop_back();
      return handle;
    }
  }
  gcry_cipher_hd_t handle = open();
  require_done(handle != nullptr);  // it took the key before
  return handle;
}

void GcryptCipher::give_back(gcry_cipher_hd_t handle) const {
  const std::lock_guard lock(mutex_);
  idle_.push_back(handle);
}

}  // namespace intact::crypto
