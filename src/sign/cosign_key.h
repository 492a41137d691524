#pragma once

#include <string>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/secret.h>

namespace intact::sign {

/// The body of cosign's PEM block "ENCRYPTED SIGSTORE PRIVATE KEY" (go-securesystemslib,
/// encrypted/): JSON with scrypt's parameters and a secretbox over the PKCS#8 of the key.
inline constexpr std::string_view kSigstoreLabel = "ENCRYPTED SIGSTORE PRIVATE KEY";
inline constexpr std::string_view kCosignLabel = "ENCRYPTED COSIGN PRIVATE KEY";  // before 2.0

/// An encrypted key, parsed and checked but for its password.
class CosignKey {
 public:
  /// unsupported for other functions, and for scrypt costs that cosign never wrote: a file must not
  /// choose how much memory and time it takes to open it.
  static Result<CosignKey> parse(ByteSpan json);
  /// The PKCS#8. bad_secret: wrong password or damage, which the format cannot tell apart.
  Result<crypto::Secret> decrypt(const crypto::Secret& password) const;

 private:
  CosignKey() = default;
  std::uint64_t n_ = 0;
  Bytes salt_, nonce_, box_;
};

/// The JSON of a new encryption, byte by byte as cosign orders it.
Result<std::string> encrypt_cosign_key(const crypto::Secret& pkcs8, const crypto::Secret& password);

}  // namespace intact::sign
