#include <algorithm>

#include <intact/crypto/pem.h>
#include <intact/sign/certificates.h>

#include "key_file.h"

namespace intact::sign {
namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

Error bad_subject(std::string why) {
  return Error(ErrorKind::invalid_argument, "subject: " + std::move(why));
}

/// Splits at commas that have no backslash before them, and takes the backslashes off.
Result<std::vector<std::string>> split(std::string_view text) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',') {
      parts.emplace_back();
    } else if (text[i] == '\\') {
      if (++i == text.size()) return bad_subject("ends with a backslash");
      parts.back() += text[i];
    } else {
      parts.back() += text[i];
    }
  }
  return parts;
}

}  // namespace

std::string CertificateTrust::to_pem() const {
  std::string pem;
  for (const crypto::Certificate& authority : authorities)
    pem += crypto::encode_pem("CERTIFICATE", authority.der());
  return pem;
}

std::string CertificateTrust::fingerprint() const {
  return crypto::fingerprint(authorities.front());
}

Result<std::vector<crypto::Certificate>> parse_certificates(ByteSpan text) {
  auto certificates = TRY(crypto::Certificate::parse_all(text));
  if (certificates.empty()) return Error(ErrorKind::malformed, "contains no certificate");
  return certificates;
}

Result<std::vector<crypto::Certificate>> load_certificates(const std::string& file) {
  return parse_certificates(as_bytes(TRY(read_public_key_text(file)))).context(file);
}

Result<Subject> parse_subject(std::string_view text) {
  constexpr std::string_view kPrefix = "x509.subject:";
  if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
  Subject subject;
  for (const std::string& part : TRY(split(text))) {
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos) return bad_subject("an attribute without '='");
    std::string name(trimmed(std::string_view(part).substr(0, equals)));
    std::string value(trimmed(std::string_view(part).substr(equals + 1)));
    if (name == "S") name = "ST";
    if (name.empty() || value.empty()) return bad_subject("an attribute without name or value");
    for (const auto& [other, _] : subject)
      if (other == name) return bad_subject("names " + name + " twice");
    subject.emplace_back(std::move(name), std::move(value));
  }
  return subject;
}

bool has_attributes(const Subject& subject, const Subject& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& attribute) {
    const auto named = [&](const auto& other) { return other.first == attribute.first; };
    const auto found = std::ranges::find_if(subject, named);
    return std::ranges::count_if(subject, named) == 1 && found->second == attribute.second;
  });
}

std::string subject_text(const Subject& subject) {
  std::string text;
  for (const auto& [name, value] : subject) {
    text += (text.empty() ? "" : ", ") + name + "=";
    for (const char c : value) {
      if (c == ',' || c == '\\') text += '\\';
      text += c;
    }
  }
  return text;
}

}  // namespace intact::sign
