#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/secret.h>

namespace intact::crypto {

/// The keys that we sign and verify with; all others are refused when they are read.
enum class KeyType { ecdsa_p256, ecdsa_p384, ecdsa_p521, ed25519, rsa };
std::string_view to_string(KeyType type);  ///< "ECDSA P-256" and so on, for people

/// How a message becomes a signature. ECDSA signatures are DER SEQUENCE{r, s}, both halves of s are
/// taken; RSA is PKCS#1 v1.5, or PSS with a salt as long as the hash and the same hash in MGF1;
/// Ed25519 ones are the 64 bytes of RFC 8032, with an empty context for ed25519ph.
enum class SignatureScheme {
  ecdsa_sha256,
  ecdsa_sha384,
  ecdsa_sha512,
  rsa_pkcs1_sha256,
  rsa_pss_sha256,
  rsa_pss_sha384,
  rsa_pss_sha512,
  ed25519,
  ed25519ph,
};

/// An ECDSA signature as JWS and COSE have it, r and s in full length one after the other, from DER
/// and to it. malformed if it does not have the form or the size for a key of this type, which is
/// an ECDSA one.
Result<Bytes> ecdsa_to_raw(KeyType type, ByteSpan der);
Result<Bytes> ecdsa_from_raw(KeyType type, ByteSpan raw);

inline constexpr int kMinRsaBits = 2048;
inline constexpr int kMaxRsaBits = 8192;  ///< what one verification may cost

/// A public key. Immutable, cheap to copy, safe to share among threads.
class VerifyingKey {
 public:
  /// From the DER of a SubjectPublicKeyInfo, exactly. unsupported: another algorithm or curve, an
  /// RSA key outside of the limits above.
  static Result<VerifyingKey> from_spki(ByteSpan der);
  /// From the DER of a PKCS#1 RSAPublicKey, exactly. Errors as above.
  static Result<VerifyingKey> from_pkcs1(ByteSpan der);
  /// The canonical DER of the SubjectPublicKeyInfo.
  const Bytes& spki() const { return *spki_; }
  KeyType type() const { return type_; }
  int bits() const;  ///< of the curve or the modulus

  /// False for a bad signature, and for a scheme that is not this key's.
  bool verify(SignatureScheme scheme, ByteSpan message, ByteSpan signature) const;

 private:
  friend class SigningKey;
  VerifyingKey(std::shared_ptr<void> key, KeyType type, Bytes spki)
      : key_(std::move(key)), type_(type), spki_(std::make_shared<const Bytes>(std::move(spki))) {}
  static Result<VerifyingKey> from_key(std::shared_ptr<void> key);

  std::shared_ptr<void> key_;  // EVP_PKEY
  KeyType type_;
  std::shared_ptr<const Bytes> spki_;
};

/// The forms in which a private key may be written down.
enum class PrivateKeyForm { pkcs8, sec1, pkcs1 };

/// A private key with its public one. Immutable; safe to share among threads.
class SigningKey {
 public:
  static Result<SigningKey> generate(KeyType type);  ///< RSA keys get 3072 bits
  /// Consistency of the two halves is checked. Errors as those of VerifyingKey::from_spki.
  static Result<SigningKey> from_der(PrivateKeyForm form, const Secret& der);
  Result<Secret> to_pkcs8() const;

  const VerifyingKey& verifying_key() const { return public_; }
  /// invalid_argument for a scheme that is not this key's.
  Result<Bytes> sign(SignatureScheme scheme, ByteSpan message) const;

 private:
  explicit SigningKey(VerifyingKey key) : public_(std::move(key)) {}
  static Result<SigningKey> from_key(std::shared_ptr<void> key);

  VerifyingKey public_;  // its EVP_PKEY holds the private half, too
};

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
