#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/crypto/secret.h>

struct gcry_cipher_handle;

namespace intact::crypto {

/// A block cipher as libgcrypt has it, by the kernel's name.
struct BlockCipher {
  std::string_view name;
  std::size_t key_size;  ///< bytes
  int algorithm;         ///< GCRY_CIPHER_*
  std::size_t block_size() const;
};

/// All with that name, one for each size of the key that the library offers.
std::vector<BlockCipher> block_ciphers(std::string_view name);
/// Their names, for messages: "aes, serpent, ...".
std::string block_cipher_names();

/// A cipher of libgcrypt with its key. A handle of the library is for one thread at a time, so
/// there are as many as there have been threads at once. Thread-safe. The library wipes what it
/// releases.
class GcryptCipher {
 public:
  /// `algorithm` and `mode` are numbers of the library that go together. Null: the library does not
  /// have them, or does not take the key.
  static std::unique_ptr<GcryptCipher> create(int algorithm, int mode, ByteSpan key);
  ~GcryptCipher();
  GcryptCipher(const GcryptCipher&) = delete;
  GcryptCipher& operator=(const GcryptCipher&) = delete;

  /// A handle for the thread that asks, until the lease ends.
  class Lease {
   public:
    explicit Lease(const GcryptCipher& cipher) : cipher_(cipher), handle_(cipher.take()) {}
    ~Lease() { cipher_.give_back(handle_); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    gcry_cipher_handle* operator*() const { return handle_; }

   private:
    const GcryptCipher& cipher_;
    gcry_cipher_handle* handle_;
  };
  Lease lease() const { return Lease(*this); }

 private:
  GcryptCipher(int algorithm, int mode, ByteSpan key)
      : algorithm_(algorithm), mode_(mode), key_(Secret::copy_of(key)) {}
  gcry_cipher_handle* open() const;  ///< null: refused
  gcry_cipher_handle* take() const;
  void give_back(gcry_cipher_handle* handle) const;

  int algorithm_;
  int mode_;
  Secret key_;
  mutable std::mutex mutex_;
  mutable std::vector<gcry_cipher_handle*> idle_;
};

}  // namespace intact::crypto
