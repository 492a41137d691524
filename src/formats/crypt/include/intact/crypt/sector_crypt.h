#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

namespace intact::crypt {

/// What a dm-crypt table and a LUKS header name a cipher by, in one of two forms:
///
///     CIPHER[:KEYS]-MODE[-IV[:OPTIONS]]    aes-xts-plain64, aes-cbc-essiv:sha256, aes:64-cbc-lmk
///     capi:NAME[-IV[:OPTIONS]]             capi:gcm(aes)-random, NAME as in the kernel's crypto
///     API
struct CipherSpec {
  std::string text;             ///< as it was parsed
  std::string cipher;           ///< "xts(aes)"; of both forms as the crypto API names it
  std::string iv;               ///< "plain64"; empty: none
  std::string iv_options;       ///< "sha256" of "essiv:sha256"
  std::uint32_t key_count = 1;  ///< a power of two: the sectors use as many keys in turn

  bool operator==(const CipherSpec&) const = default;

  /// invalid_argument, in the kernel's words, for what is neither form. Whether the cipher and the
  /// IV exist is seen when they are used.
  static Result<CipherSpec> parse(std::string_view text);
};

inline constexpr std::uint32_t kMaxRecordSize = 480;  // bytes

/// How sectors are encrypted: what a line of dm-crypt's table says of it, but for the key.
struct SectorParams {
  CipherSpec spec;
  std::uint32_t sector_size = 512;  ///< bytes, a power of two from 512 to 4096
  bool iv_large_sectors = false;    ///< IVs count sectors of that size, not of 512 bytes
  std::uint64_t iv_offset = 0;      ///< in sectors of 512 bytes; added to the number of a sector

  /// Bytes that are kept for each sector: "integrity:BYTES:..."; 0: none.
  std::uint32_t record_size = 0;
  bool is_aead = false;            ///< "integrity:BYTES:aead", not "integrity:BYTES:none"
  std::uint32_t mac_key_size = 0;  ///< "integrity_key_size:BYTES"; 0: as large as the MAC's tag
};

/// Encrypts and decrypts the sectors of a dm-crypt device bit for bit as the kernel does: every IV
/// mode, several keys in turn, and authenticated ciphers. The record of an authenticated sector is
/// its tag, then its IV if that is random, then zeros.
///
/// Not supported, for the libraries do not have them: aegis128, adiantum, and ciphers that
/// SectorCipher does not know. Thread-safe; copies of the key are wiped.
class SectorCrypt {
 public:
  /// Errors begin with the kernel's words. invalid_argument: parameters that do not go together;
  /// unsupported: unknown ciphers, hashes and IV modes; bad_secret: a key of a wrong size.
  static Result<std::unique_ptr<const SectorCrypt>> create(const SectorParams& params,
                                                           ByteSpan key);
  virtual ~SectorCrypt() = default;

  /// `first` is the number of the first sector on the device, without the offset of IVs, in units
  /// of 512 bytes and a multiple of the sector size. `in` and `out` are whole sectors, and may be
  /// the same bytes; `records` has record_size bytes for each.
  virtual void encrypt(std::uint64_t first, ByteSpan in, MutableByteSpan out,
                       MutableByteSpan records) const = 0;
  /// Returns the index in the run of each sector that is not what was encrypted. In `out` those
  /// are zeros. Without an authenticated cipher that cannot be seen, and the list is empty.
  virtual std::vector<std::size_t> decrypt(std::uint64_t first, ByteSpan in, ByteSpan records,
                                           MutableByteSpan out) const = 0;
};

}  // namespace intact::crypt
