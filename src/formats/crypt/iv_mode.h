#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/sector_cipher.h>

namespace intact::crypt {

/// Sectors that follow each other, numbered as their IVs count them.
struct Run {
  std::uint64_t first;      ///< number of the first
  std::uint64_t step;       ///< from one to the next
  std::size_t sector_size;  ///< bytes

  std::uint64_t number(std::size_t i) const { return first + i * step; }
};

/// Where the IVs of sectors come from, and what some old formats do beside the cipher. Thread-safe.
/// Spans of sectors and IVs cover a run.
class IvMode {
 public:
  virtual ~IvMode() = default;

  /// Whether the functions below read or change sectors. If not, they may get none.
  virtual bool uses_sectors() const { return false; }

  virtual void before_encryption(const Run& run, MutableByteSpan plain,
                                 MutableByteSpan ivs) const = 0;
  virtual void after_encryption(const Run&, MutableByteSpan) const {}
  virtual void before_decryption(const Run& run, MutableByteSpan encrypted,
                                 MutableByteSpan ivs) const = 0;
  virtual void after_decryption(const Run&, MutableByteSpan) const {}
};

/// IVs that only depend on the sector's number: null, plain, plain64, plain64be, benbi, and essiv,
/// whose numbers are encrypted with the cipher's key. Null for another name.
std::unique_ptr<const IvMode> make_counting_ivs(std::string_view name, std::size_t iv_size,
                                                std::size_t block_size);

/// eboiv: the encrypted byte offset. The cipher is the one that the sectors are encrypted with.
std::unique_ptr<const IvMode> make_eboiv(std::shared_ptr<const crypto::SectorCipher> cipher);

/// elephant: eboiv, and BitLocker's diffuser, which has a key of AES.
Result<std::unique_ptr<const IvMode>> make_elephant(
    std::shared_ptr<const crypto::SectorCipher> cipher, ByteSpan diffuser_key);

/// lmk: what loop-AES does. `seed`: of version 3, at least 16 bytes, of which 16 are used; else
/// empty.
std::unique_ptr<const IvMode> make_lmk(ByteSpan seed, std::size_t iv_size);

/// tcw: what old versions of TrueCrypt did. `seed`: as large as an IV.
inline constexpr std::size_t kTcwWhitening = 16;  // bytes
std::unique_ptr<const IvMode> make_tcw(ByteSpan seed, ByteSpan whitening);

}  // namespace intact::crypt
