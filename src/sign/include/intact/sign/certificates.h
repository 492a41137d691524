#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/certificate_chain.h>

namespace intact::sign {

/// Who is trusted by certificates: anyone whom an authority has certified, under a subject.
struct CertificateTrust {
  std::vector<crypto::Certificate> authorities;  ///< at least one
  /// Attributes that the signer's subject must have, as parse_subject() reads them; empty: any.
  std::string subject{};

  std::string to_pem() const;
  /// "sha256:HEX" of the first authority: the name of the rule.
  std::string fingerprint() const;
};

/// The certificates of a PEM text, or one in DER.
Result<std::vector<crypto::Certificate>> parse_certificates(ByteSpan text);
/// The same of a file that only root, the user and its owner can change, as PublicKey::load().
Result<std::vector<crypto::Certificate>> load_certificates(const std::string& file);

using Subject = std::vector<std::pair<std::string, std::string>>;

/// Attributes as Notation's trust policies have them: "C=US, ST=WA, O=Example, CN=Builder", perhaps
/// after "x509.subject:". A comma or backslash in a value has a backslash before it.
/// invalid_argument for anything else, for attributes that are named twice, and for none.
Result<Subject> parse_subject(std::string_view text);
/// Whether a certificate's subject has each of the attributes, exactly once and with that value.
bool has_attributes(const Subject& subject, const Subject& wanted);
/// For people: "C=US, O=Example, CN=Builder".
std::string subject_text(const Subject& subject);

}  // namespace intact::sign
