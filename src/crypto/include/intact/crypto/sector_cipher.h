#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

namespace intact::crypto {

/// An unauthenticated cipher for many messages of one length, as disks have them: the sectors of a
/// run, each with an IV of its own. Named as in the kernel's crypto API, "MODE(CIPHER)": cbc, ctr,
/// ecb and xts of aes, serpent, twofish, camellia, sm4, seed, cast5, blowfish and des3_ede (xts
/// only of those with blocks of 16 bytes), and "chacha20", whose IV begins with a counter of
/// blocks.
///
/// The key is expanded once for each thread that is in a call at the same time, and all copies of
/// it are wiped by the destructor. Thread-safe.
///
///     auto cipher = TRY(SectorCipher::create("xts(aes)", key));
///     cipher->decrypt(ivs, bytes, bytes);  // cipher->iv_size() bytes of `ivs` for each sector
class SectorCipher {
 public:
  /// unsupported for a name that is unknown or that the library does not offer; bad_secret for a
  /// key of a size that the cipher does not take.
  static Result<std::unique_ptr<const SectorCipher>> create(std::string_view name, ByteSpan key);
  virtual ~SectorCipher() = default;

  virtual std::size_t block_size() const = 0;  ///< bytes; 1 for a stream cipher
  virtual std::size_t iv_size() const = 0;     ///< bytes; 0 for ecb

  /// `ivs` contains n IVs, `in` n messages of equal length, a multiple of the block size; without
  /// IVs one message. `out` has the size of `in` and may be the same bytes.
  virtual void encrypt(ByteSpan ivs, ByteSpan in, MutableByteSpan out) const = 0;
  virtual void decrypt(ByteSpan ivs, ByteSpan in, MutableByteSpan out) const = 0;

  /// Stream ciphers: XORs `bytes` with what encrypting zeros with an IV of zeros gives from byte
  /// `position` on, a multiple of 64.
  virtual void xor_keystream(std::uint64_t position, MutableByteSpan bytes) const = 0;
};

/// What a SectorAead works on.
struct AeadShape {
  std::size_t sector_size = 512;  ///< bytes
  /// Bytes of a tag, which may be cut to less than the whole one: 4, 8 and 12 to 16 for gcm; 8, 12
  /// and 16 for rfc4309; any number for authenc. 0: whole.
  std::size_t tag_size = 0;
  /// Bytes at the end of the key that are the MAC's, for authenc. 0: as many as a whole tag has.
  std::size_t mac_key_size = 0;
};

/// Authenticated encryption of the sectors of a run, each with its IV and tag, as dm-crypt uses the
/// kernel's crypto API:
///
/// | name | key, bytes | IV | tag |
/// |---|---|---:|---:|
/// | gcm(CIPHER) | the cipher's | 12 | 16 |
/// | rfc4309(ccm(CIPHER)) | the cipher's, and 3 of a salt | 8 | 16 |
/// | rfc7539(chacha20,poly1305) | 32 | 12 | 16 |
/// | authenc(MAC,MODE(CIPHER)) | the cipher's, then the MAC's | the mode's | the MAC's |
///
/// CIPHER is one with blocks of 16 bytes, MAC "hmac(...)" or "cmac(aes)", MODE(CIPHER) a
/// SectorCipher. With each sector its number and its IV are authenticated (with rfc4309, the IV as
/// a part of the nonce only); authenc authenticates what is encrypted. Thread-safe; keys are
/// treated as by SectorCipher.
class SectorAead {
 public:
  /// Errors as those of SectorCipher::create(), and invalid_argument for a tag of a size that the
  /// cipher does not have.
  static Result<std::unique_ptr<const SectorAead>> create(std::string_view name, ByteSpan key,
                                                          const AeadShape& shape);
  virtual ~SectorAead() = default;

  /// Bytes of each sector's number: little-endian.
  static constexpr std::size_t kNumberSize = 8;

  virtual std::size_t block_size() const = 0;  ///< as that of SectorCipher
  virtual std::size_t iv_size() const = 0;     ///< bytes
  virtual std::size_t tag_size() const = 0;    ///< bytes

  /// A run of n sectors: `ivs` are n IVs, `numbers` n of kNumberSize bytes, `tags` n of tag_size().
  /// `in` and `out` are n sectors and may be the same bytes.
  virtual void encrypt(ByteSpan ivs, ByteSpan numbers, ByteSpan in, MutableByteSpan out,
                       MutableByteSpan tags) const = 0;
  /// Returns which of the n sectors do not have their tag, in order. In `out` they are zeros.
  virtual std::vector<std::size_t> decrypt(ByteSpan ivs, ByteSpan numbers, ByteSpan in,
                                           ByteSpan tags, MutableByteSpan out) const = 0;
};

}  // namespace intact::crypto
