#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypt/sector_crypt.h>
#include <intact/crypto/sector_cipher.h>

#include "iv_mode.h"

namespace intact::crypt {

/// A cipher with one of the keys of a device, authenticated or not. With essiv it encrypts IVs
/// before it uses them. Thread-safe.
class KeyedCipher {
 public:
  /// `key` is that of the cipher, which is the params' but for essiv.
  static Result<std::unique_ptr<const KeyedCipher>> create(const SectorParams& params,
                                                           std::size_t tag_size, ByteSpan key);

  std::size_t iv_size() const { return aead_ ? aead_->iv_size() : plain_->iv_size(); }
  std::size_t block_size() const { return aead_ ? aead_->block_size() : plain_->block_size(); }
  /// Null for an authenticated cipher.
  const std::shared_ptr<const crypto::SectorCipher>& plain() const { return plain_; }

  /// As those of SectorAead; numbers and tags are empty for a cipher that is not authenticated.
  /// `ivs` become those that were used.
  void encrypt(MutableByteSpan ivs, ByteSpan numbers, ByteSpan in, MutableByteSpan out,
               MutableByteSpan tags) const;
  std::vector<std::size_t> decrypt(MutableByteSpan ivs, ByteSpan numbers, ByteSpan in,
                                   ByteSpan tags, MutableByteSpan out) const;

 private:
  void encrypt_ivs(MutableByteSpan ivs) const;

  std::shared_ptr<const crypto::SectorCipher> plain_;
  std::unique_ptr<const crypto::SectorAead> aead_;
  std::unique_ptr<const crypto::SectorCipher> essiv_;
};

/// The ciphers of a device and where their IVs come from.
struct KeyedCiphers {
  std::vector<std::unique_ptr<const KeyedCipher>> keyed;  ///< a power of two of them
  std::unique_ptr<const IvMode> mode;                     ///< null: no IVs, or stored ones
  std::size_t iv_size = 0;                                ///< bytes
  std::size_t tag_size = 0;                               ///< bytes
  bool stores_iv = false;  ///< IVs are random and follow the tag in the record
};

/// Divides the key into those of ciphers and IVs. Errors as those of SectorCrypt::create().
Result<KeyedCiphers> make_keyed_ciphers(const SectorParams& params, ByteSpan key);

}  // namespace intact::crypt
