#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/pkcs7.h>

namespace intact::crypto {

inline constexpr std::size_t kMaxChain = 8;  // certificates

/// The certificates that come with a signature over code: the signer's first, then those of its
/// issuers. What can be seen without trusting anyone is checked when it is made. Immutable, cheap
/// to copy, thread-safe.
class CertificateChain {
 public:
  /// malformed: not certificates; limit: none, or more than kMaxChain; untrusted: the first one may
  /// not sign code, being an authority's, without the usage "digital signature", or with extended
  /// usages that lack code signing or have those of servers, mail, timestamps, or any.
  static Result<CertificateChain> from_der(const std::vector<Bytes>& certificates);
  static Result<CertificateChain> from(std::vector<Certificate> certificates);

  /// Of the signer.
  const VerifyingKey& key() const { return certificates_.front().key(); }
  /// The signer's subject, as pairs like ("CN", "Builder"), in its order. The names are OpenSSL's
  /// short ones.
  const std::vector<std::pair<std::string, std::string>>& subject() const { return subject_; }
  /// "sha256:HEX" of the signer's certificate.
  std::string fingerprint() const;
  const std::vector<Certificate>& certificates() const { return certificates_; }

  /// Whether issuers lead from the signer to one of `trusted`, which may also be an intermediate or
  /// the signer's own certificate, and all of them are valid at `time` (seconds since 1970).
  /// untrusted otherwise, and for signatures over SHA-1 and the like, keys of less than 112 bits of
  /// security (RSA of 2048), issuers that may not issue, and critical extensions that are not
  /// known. Revocation is not looked at.
  Result<void> verify(const std::vector<Certificate>& trusted, std::int64_t time) const;

 private:
  explicit CertificateChain(std::vector<Certificate> certificates)
      : certificates_(std::move(certificates)) {}

  std::vector<Certificate> certificates_;
  std::vector<std::pair<std::string, std::string>> subject_;
};

/// "sha256:HEX" of a certificate's DER.
std::string fingerprint(const Certificate& certificate);

}  // namespace intact::crypto
