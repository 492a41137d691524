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

/// A key to verify signatures with. Immutable, cheap to copy, safe to share among threads.
class PublicKey {
 public:
  /// One "PUBLIC KEY" block (ECDSA P-256, P-384 or P-521, Ed25519, RSA of 2048 bits and more) or
  /// one "RSA PUBLIC KEY" block (PKCS#1).
  static Result<PublicKey> from_pem(std::string_view pem);
  /// The same from a file, standard input (`-`) or a descriptor (/dev/fd/N); errors name it.
  /// untrusted for a file that anyone except root, the user and its owner could have changed
  /// (TrustedOwner::anyone in base/trusted_file.h).
  static Result<PublicKey> load(const std::string& file);

  explicit PublicKey(crypto::VerifyingKey key) : key_(std::move(key)) {}

  /// Checks the way cosign signs with a key of this kind. untrusted if the signature is not
  /// this key's over exactly `message`.
  Result<void> verify(ByteSpan message, ByteSpan signature) const;

  /// "sha256:HEX" of the DER SubjectPublicKeyInfo: the name of the key.
  std::string fingerprint() const;
  std::string to_pem() const;
  crypto::KeyType type() const { return key_.type(); }
  const crypto::VerifyingKey& key() const { return key_; }

 private:
  crypto::VerifyingKey key_;
};

/// Called only if a key turns out to be encrypted.
using PasswordSource = std::function<Result<crypto::Secret>()>;

/// A key that signs. Safe to share among threads.
class PrivateKey {
 public:
  /// Reads what cosign writes ("ENCRYPTED SIGSTORE PRIVATE KEY" and the older "ENCRYPTED COSIGN
  /// PRIVATE KEY") and plain "PRIVATE KEY" (PKCS#8), "EC PRIVATE KEY" (SEC1), "RSA PRIVATE KEY"
  /// (PKCS#1), and "ENCRYPTED PRIVATE KEY" (PKCS#8 with a password). bad_secret for a wrong
  /// password; unsupported for other forms of encryption and for excessive key derivation costs.
  static Result<PrivateKey> from_pem(std::string_view pem, const PasswordSource& password);
  /// The same from a file or standard input (`-`); errors name it.
  static Result<PrivateKey> load(const std::string& file, const PasswordSource& password);
  /// The same, but only reading the file and asking for the password happen now. Deriving the key
  /// from the password, which cosign makes slow on purpose (a fifth of a second), runs on another
  /// thread. Destroying the future waits for it.
  static Result<std::future<Result<PrivateKey>>> begin_loading(const std::string& file,
                                                               const PasswordSource& password);
  /// A new ECDSA P-256 key.
  static Result<PrivateKey> generate();

  /// The signature that PublicKey::verify and cosign accept.
  Result<Bytes> sign(ByteSpan message) const;
  PublicKey public_key() const { return PublicKey(key_.verifying_key()); }
  const crypto::SigningKey& signing_key() const { return key_; }

  /// cosign's form: scrypt (65536, 8, 1) and secretbox over the PKCS#8. The password may be empty.
  Result<std::string> to_encrypted_pem(const crypto::Secret& password) const;

 private:
  explicit PrivateKey(crypto::SigningKey key) : key_(std::move(key)) {}
  crypto::SigningKey key_;
};

/// Writes PREFIX.key (mode 0600, encrypted) and PREFIX.pub (0644): both or none. exists if one of
/// them exists already.
Result<void> write_key_pair(const std::string& prefix, const PrivateKey& key,
                            const crypto::Secret& password);
/// exists if one of the files exists already: to report that before asking for a password.
Result<void> check_key_pair_is_new(const std::string& prefix);

}  // namespace intact::sign
