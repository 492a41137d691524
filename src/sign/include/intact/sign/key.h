#pragma once

#include <functional>
#include <future>
#include <string>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/secret.h>
#include <intact/crypto/signature_key.h>

namespace intact::sign {

/// A key that signatures are checked with. Immutable, cheap to copy, safe to share among threads.
class PublicKey {
 public:
  /// One "PUBLIC KEY" block: ECDSA P-256, P-384 or P-521, Ed25519, RSA of 2048 bits and more.
  static Result<PublicKey> from_pem(std::string_view pem);
  /// The same from a file; errors name it.
  static Result<PublicKey> load(const std::string& file);

  /// Checks the way cosign signs with a key of this kind. untrusted if the signature is not
  /// this key's over exactly `message`.
  Result<void> verify(ByteSpan message, ByteSpan signature) const;

  /// "sha256:HEX" of the DER SubjectPublicKeyInfo: the name of the key.
  std::string fingerprint() const;
  std::string to_pem() const;
  crypto::KeyType type() const { return key_.type(); }

 private:
  friend class PrivateKey;
  explicit PublicKey(crypto::VerifyingKey key) : key_(std::move(key)) {}
  crypto::VerifyingKey key_;
};

/// Called when a key turns out to be encrypted, and only then.
using PasswordSource = std::function<Result<crypto::Secret>()>;

/// A key that signs. Safe to share among threads.
class PrivateKey {
 public:
  /// Reads what cosign writes ("ENCRYPTED SIGSTORE PRIVATE KEY" and the older "ENCRYPTED COSIGN
  /// PRIVATE KEY") and plain "PRIVATE KEY" (PKCS#8), "EC PRIVATE KEY" (SEC1), "RSA PRIVATE KEY"
  /// (PKCS#1). bad_secret for a wrong password; unsupported for other forms of encryption and
  /// for scrypt costs other than cosign's three.
  static Result<PrivateKey> from_pem(std::string_view pem, const PasswordSource& password);
  /// The same from a file; errors name it.
  static Result<PrivateKey> load(const std::string& file, const PasswordSource& password);
  /// The same, but only reading the file and asking for the password happen here and now: the
  /// derivation of the key from it, which cosign makes slow on purpose (a fifth of a second), goes
  /// on beside what the caller does next. Destroying the future waits for it.
  static Result<std::future<Result<PrivateKey>>> begin_loading(const std::string& file,
                                                               const PasswordSource& password);
  /// A new ECDSA P-256 key.
  static Result<PrivateKey> generate();

  /// The signature that PublicKey::verify and cosign accept.
  Result<Bytes> sign(ByteSpan message) const;
  PublicKey public_key() const { return PublicKey(key_.verifying_key()); }
  const crypto::SigningKey& signing_key() const { return key_; }

  /// cosign's form: scrypt (65536, 8, 1) and secretbox over the PKCS#8. An empty password is a
  /// password.
  Result<std::string> to_encrypted_pem(const crypto::Secret& password) const;

 private:
  explicit PrivateKey(crypto::SigningKey key) : key_(std::move(key)) {}
  crypto::SigningKey key_;
};

/// Writes PREFIX.key (mode 0600, encrypted) and PREFIX.pub (0644). Overwrites neither (error kind
/// exists) and leaves none or both.
Result<void> write_key_pair(const std::string& prefix, const PrivateKey& key,
                            const crypto::Secret& password);
/// exists if either file is there already: to say so before a password is asked for.
Result<void> check_key_pair_is_new(const std::string& prefix);

}  // namespace intact::sign
