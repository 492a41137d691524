#pragma once

#include <cstdint>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/secret.h>
#include <intact/crypto/signature_key.h>

namespace intact::crypto {

/// What opening an encrypted key may cost: a file must not choose how much time and memory it
/// takes.
inline constexpr std::uint64_t kMaxPbkdf2Iterations = 10'000'000;
inline constexpr std::uint64_t kMaxScryptMemory = 32 * 1024 * 1024;  // bytes; OpenSSL's own limit

/// A private key encrypted with a password as PKCS#8 defines it ("ENCRYPTED PRIVATE KEY" in PEM),
/// with PBES2 and PBKDF2 or scrypt: what `openssl genpkey -aes256` and `openssl pkcs8 -topk8`
/// write. Immutable.
class EncryptedPkcs8 {
 public:
  /// malformed; unsupported for older encryption schemes and for costs beyond the limits above.
  static Result<EncryptedPkcs8> parse(ByteSpan der);
  /// bad_secret: wrong password or damage, which the format cannot tell apart.
  Result<SigningKey> open(const Secret& password) const;

 private:
  explicit EncryptedPkcs8(Bytes der) : der_(std::move(der)) {}
  Bytes der_;
};

}  // namespace intact::crypto
