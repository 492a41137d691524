#pragma once

#include <memory>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/signature_key.h>

namespace intact::crypto {

/// An X.509 certificate. Neither issuer nor dates are checked here; see certificate_chain.h.
/// Immutable, cheap to copy, thread-safe.
class Certificate {
 public:
  /// From DER, exactly. malformed; unsupported for a key that VerifyingKey does not take.
  static Result<Certificate> from_der(ByteSpan der);
  /// All "CERTIFICATE" blocks of a PEM text, or one in DER: at least one, or an error.
  static Result<std::vector<Certificate>> parse_all(ByteSpan pem_or_der);

  const VerifyingKey& key() const { return key_; }
  Bytes der() const;

 private:
  friend class CertificateChain;
  friend Result<Bytes> sign_pkcs7(ByteSpan, const SigningKey&, const Certificate&);
  friend Result<void> verify_pkcs7(ByteSpan, ByteSpan, const std::vector<Certificate>&);
  Certificate(std::shared_ptr<void> certificate, VerifyingKey key)
      : certificate_(std::move(certificate)), key_(std::move(key)) {}

  std::shared_ptr<void> certificate_;  // X509
  VerifyingKey key_;
};

inline constexpr std::size_t kMaxPkcs7Size = 64 * 1024;  // bytes

/// Signs `content` as the kernel requires (and `openssl smime -sign -binary -noattr -nocerts`): the
/// DER of a PKCS#7 SignedData without the content, without certificates, with SHA-256.
/// invalid_argument when the certificate is not the key's; unsupported for Ed25519.
Result<Bytes> sign_pkcs7(ByteSpan content, const SigningKey& key, const Certificate& certificate);

/// Whether `signers` have signed exactly `content`. untrusted: they have not, someone else has
/// signed as well, or the hash is weak. Only `signers` decide who may sign: certificates in the
/// signature, chains, dates and the system's certificates are ignored. malformed: not a detached
/// SignedData in DER.
Result<void> verify_pkcs7(ByteSpan signature, ByteSpan content,
                          const std::vector<Certificate>& signers);

}  // namespace intact::crypto
