#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

namespace intact::crypto {

/// An unauthenticated cipher as the kernel's crypto API names it: "cbc(aes)", "ctr(aes)",
/// "xts(aes)", "ecb(aes)", the same with camellia, "chacha20". Thread-safe.
class Cipher {
 public:
  /// unsupported for a name that is unknown or that OpenSSL does not offer; bad_secret for a key of
  /// a size that it does not take.
  static Result<std::unique_ptr<const Cipher>> create(std::string_view name, ByteSpan key);
  virtual ~Cipher() = default;

  virtual std::size_t block_size() const = 0;  ///< bytes; 1 for a stream cipher
  virtual std::size_t iv_size() const = 0;     ///< bytes; may be 0

  /// `in` and `out` have the same size, whole blocks, and may be the same bytes.
  virtual void encrypt(ByteSpan iv, ByteSpan in, MutableByteSpan out) const = 0;
  virtual void decrypt(ByteSpan iv, ByteSpan in, MutableByteSpan out) const = 0;

  /// Stream ciphers: XORs `bytes` with what encrypting zeros with an IV of zeros gives from byte
  /// `position` on, a multiple of 64.
  virtual void xor_keystream(std::uint64_t position, MutableByteSpan bytes) const = 0;
};

}  // namespace intact::crypto
