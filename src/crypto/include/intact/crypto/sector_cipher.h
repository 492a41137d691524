#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

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

}  // namespace intact::crypto
