#include <memory>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <intact/crypto/certificate_chain.h>
#include <intact/crypto/hash.h>

#include "openssl_error.h"

namespace intact::crypto {
namespace {

struct FreeStore {
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
};
using Store = std::unique_ptr<X509_STORE, FreeStore>;
struct FreeStoreContext {
  void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
};
using StoreContext = std::unique_ptr<X509_STORE_CTX, FreeStoreContext>;
struct FreeStack {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};
using Stack = std::unique_ptr<STACK_OF(X509), FreeStack>;

Error untrusted(std::string text) {
  return Error(ErrorKind::untrusted, std::move(text));
}

/// The rules of the Notary Project for certificates that sign.
Result<void> check_may_sign(X509* certificate) {
  const std::uint32_t flags = X509_get_extension_flags(certificate);
  if (flags & EXFLAG_INVALID)
    return Error(ErrorKind::malformed, "a certificate with malformed extensions");
  if (flags & EXFLAG_CA) return untrusted("the signer's certificate is that of an authority");
  if (!(flags & EXFLAG_KUSAGE) || !(X509_get_key_usage(certificate) & KU_DIGITAL_SIGNATURE))
    return untrusted("the signer's certificate lacks the key usage \"digital signature\"");
  if (!(flags & EXFLAG_XKUSAGE)) return {};
  const std::uint32_t usages = X509_get_extended_key_usage(certificate);
  constexpr std::uint32_t kOthers = XKU_ANYEKU | XKU_SSL_SERVER | XKU_SMIME | XKU_TIMESTAMP;
  if (!(usages & XKU_CODE_SIGN) || (usages & kOthers))
    return untrusted("the signer's certificate is not one for code signing");
  return {};
}

Result<std::vector<std::pair<std::string, std::string>>> read_subject(X509* certificate) {
  std::vector<std::pair<std::string, std::string>> subject;
  const X509_NAME* const name = X509_get_subject_name(certificate);
  for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
    const X509_NAME_ENTRY* const entry = X509_NAME_get_entry(name, i);
    const int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
    if (size < 0) return openssl_error(ErrorKind::malformed, "the subject of a certificate");
    subject.emplace_back(
        nid == NID_undef ? "?" : OBJ_nid2sn(nid),
        std::string(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)));
    OPENSSL_free(text);
  }
  return subject;
}

/// Collisions have been found for SHA-1, and certificates with them were made.
bool has_strong_hash(X509* certificate) {
  int hash = NID_undef;
  if (X509_get_signature_info(certificate, &hash, nullptr, nullptr, nullptr) != 1) return false;
  return hash == NID_sha256 || hash == NID_sha384 || hash == NID_sha512;
}

Result<void> check_built(STACK_OF(X509) * built) {
  for (int i = 0; i < sk_X509_num(built); ++i) {
    X509* const certificate = sk_X509_value(built, i);
    if (!has_strong_hash(certificate))
      return untrusted("a certificate is signed over a hash other than SHA-256, 384 or 512");
    if (i > 0 && X509_check_ca(certificate) != 1)
      return untrusted("a certificate was issued by one that is not an authority's");
  }
  return {};
}

}  // namespace

Result<CertificateChain> CertificateChain::from_der(const std::vector<Bytes>& certificates) {
  if (certificates.size() > kMaxChain)
    return Error(ErrorKind::limit, "more than " + std::to_string(kMaxChain) + " certificates");
  std::vector<Certificate> parsed;
  parsed.reserve(certificates.size());
  for (const Bytes& der : certificates) parsed.push_back(TRY(Certificate::from_der(der)));
  return from(std::move(parsed));
}

Result<CertificateChain> CertificateChain::from(std::vector<Certificate> certificates) {
  if (certificates.empty() || certificates.size() > kMaxChain)
    return Error(ErrorKind::limit,
                 "not one to " + std::to_string(kMaxChain) + " certificates of a signer");
  CertificateChain chain(std::move(certificates));
  X509* const leaf = static_cast<X509*>(chain.certificates_.front().certificate_.get());
  TRY(check_may_sign(leaf));
  chain.subject_ = TRY(read_subject(leaf));
  return chain;
}

std::string fingerprint(const Certificate& certificate) {
  return sha256(certificate.der()).to_string();
}

std::string CertificateChain::fingerprint() const {
  return crypto::fingerprint(certificates_.front());
}

Result<void> CertificateChain::verify(const std::vector<Certificate>& trusted,
                                      std::int64_t time) const {
  const auto x509 = [](const Certificate& certificate) {
    return static_cast<X509*>(certificate.certificate_.get());
  };
  const Store store(X509_STORE_new());
  const StoreContext context(X509_STORE_CTX_new());
  const Stack issuers(sk_X509_new_null());
  if (!store || !context || !issuers) return openssl_error(ErrorKind::io, "out of memory");
  for (const Certificate& anchor : trusted)
    if (X509_STORE_add_cert(store.get(), x509(anchor)) != 1)
      return openssl_error(ErrorKind::io, "out of memory");
  for (std::size_t i = 1; i < certificates_.size(); ++i)
    if (!sk_X509_push(issuers.get(), x509(certificates_[i])))
      return openssl_error(ErrorKind::io, "out of memory");
  if (X509_STORE_CTX_init(context.get(), store.get(), x509(certificates_.front()), issuers.get()) !=
      1)
    return openssl_error(ErrorKind::io, "certificates");
  X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(parameters, static_cast<time_t>(time));
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_auth_level(parameters, 2);
  X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(kMaxChain));
  if (X509_verify_cert(context.get()) != 1) {
    const int reason = X509_STORE_CTX_get_error(context.get());
    ERR_clear_error();
    return untrusted(std::string("the certificate does not lead to a trusted one: ") +
                     X509_verify_cert_error_string(reason));
  }
  return check_built(X509_STORE_CTX_get0_chain(context.get()));
}

}  // namespace intact::crypto
