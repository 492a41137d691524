#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <intact/crypto/pem.h>
#include <intact/crypto/pkcs7.h>

#include "openssl_error.h"

namespace intact::crypto {
namespace {

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Pkcs8Ptr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Freed<PKCS8_PRIV_KEY_INFO_free>>;
using CmsPtr = std::unique_ptr<CMS_ContentInfo, Freed<CMS_ContentInfo_free>>;
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;
struct FreeStack {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};
using X509Stack = std::unique_ptr<STACK_OF(X509), FreeStack>;

const unsigned char* raw(ByteSpan bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

/// What one of OpenSSL's i2d functions writes.
template <typename T>
Bytes to_der(int (*encode)(const T*, unsigned char**), const T* value) {
  unsigned char* der = nullptr;
  const int size = encode(value, &der);
  if (size <= 0) return {};
  const auto* const first = reinterpret_cast<const std::byte*>(der);
  Bytes bytes(first, first + size);
  OPENSSL_free(der);
  return bytes;
}

BioPtr reader(ByteSpan bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

KeyPtr private_key(const SigningKey& key) {
  const auto der = key.to_pkcs8();
  if (!der) return nullptr;
  const unsigned char* position = raw(der->expose());
  const Pkcs8Ptr info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &position, static_cast<long>(der->size())));
  return KeyPtr(info ? EVP_PKCS82PKEY(info.get()) : nullptr);
}

/// Whether every signature is made over a hash in which nobody finds collisions.
bool strong_hashes(CMS_ContentInfo* cms) {
  STACK_OF(CMS_SignerInfo)* const signers = CMS_get0_SignerInfos(cms);
  for (int i = 0; i < sk_CMS_SignerInfo_num(signers); ++i) {
    X509_ALGOR* hash = nullptr;
    CMS_SignerInfo_get0_algs(sk_CMS_SignerInfo_value(signers, i), nullptr, nullptr, &hash, nullptr);
    const ASN1_OBJECT* name = nullptr;
    X509_ALGOR_get0(&name, nullptr, nullptr, hash);
    const int nid = OBJ_obj2nid(name);
    if (nid != NID_sha256 && nid != NID_sha384 && nid != NID_sha512) return false;
  }
  return sk_CMS_SignerInfo_num(signers) > 0;
}

}  // namespace

Result<Certificate> Certificate::from_der(ByteSpan der) {
  const unsigned char* position = raw(der);
  X509Ptr certificate(d2i_X509(nullptr, &position, static_cast<long>(der.size())));
  if (!certificate) return openssl_error(ErrorKind::malformed, "not an X.509 certificate");
  if (position != raw(der) + der.size())
    return Error(ErrorKind::malformed, "certificate: trailing bytes");
  VerifyingKey key = TRY(
      VerifyingKey::from_spki(to_der(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(certificate.get()))));
  return Certificate(std::shared_ptr<void>(certificate.release(),
                                           [](void* p) { X509_free(static_cast<X509*>(p)); }),
                     std::move(key));
}

Bytes Certificate::der() const {
  return to_der(i2d_X509, static_cast<const X509*>(certificate_.get()));
}

Result<std::vector<Certificate>> Certificate::parse_all(ByteSpan pem_or_der) {
  std::vector<Certificate> certificates;
  // DER begins with a SEQUENCE.
  if (!pem_or_der.empty() && pem_or_der[0] == std::byte{0x30}) {
    certificates.push_back(TRY(from_der(pem_or_der)));
    return certificates;
  }
  for (const PemBlock& block : TRY(parse_pem(as_text(pem_or_der)))) {
    if (block.label != "CERTIFICATE")
      return Error(ErrorKind::malformed, "a " + block.label + " and not a certificate");
    certificates.push_back(TRY(from_der(block.body.expose())));
  }
  return certificates;
}

Result<Bytes> sign_pkcs7(ByteSpan content, const SigningKey& key, const Certificate& certificate) {
  if (key.verifying_key().spki() != certificate.key().spki())
    return Error(ErrorKind::invalid_argument, "the certificate is that of another key");
  if (key.verifying_key().type() == KeyType::ed25519)
    return Error(ErrorKind::unsupported, "PKCS#7 signatures need an ECDSA or an RSA key");
  const KeyPtr secret = private_key(key);
  const BioPtr input = reader(content);
  constexpr unsigned kFlags = CMS_DETACHED | CMS_BINARY | CMS_NOATTR | CMS_NOCERTS | CMS_PARTIAL;
  const CmsPtr cms(CMS_sign(nullptr, nullptr, nullptr, input.get(), kFlags));
  if (!secret || !cms ||
      !CMS_add1_signer(cms.get(), static_cast<X509*>(certificate.certificate_.get()), secret.get(),
                       EVP_sha256(), kFlags) ||
      CMS_final(cms.get(), input.get(), nullptr, kFlags) != 1)
    return openssl_error(ErrorKind::io, "cannot sign");
  return to_der(i2d_CMS_ContentInfo, cms.get());
}

Result<void> verify_pkcs7(ByteSpan signature, ByteSpan content,
                          const std::vector<Certificate>& signers) {
  if (signature.size() > kMaxPkcs7Size)
    return Error(ErrorKind::limit, "too large for a PKCS#7 signature");
  const unsigned char* position = raw(signature);
  const CmsPtr cms(d2i_CMS_ContentInfo(nullptr, &position, static_cast<long>(signature.size())));
  if (!cms || OBJ_obj2nid(CMS_get0_type(cms.get())) != NID_pkcs7_signed)
    return openssl_error(ErrorKind::malformed, "not a PKCS#7 signature in DER");
  if (position != raw(signature) + signature.size())
    return Error(ErrorKind::malformed, "PKCS#7 signature: trailing bytes");
  if (CMS_is_detached(cms.get()) != 1)
    return Error(ErrorKind::malformed, "PKCS#7 signature: not detached");
  if (!strong_hashes(cms.get()))
    return Error(ErrorKind::untrusted,
                 "PKCS#7 signature: made with a weak hash; SHA-256 or better is required");

  const X509Stack known(sk_X509_new_null());
  for (const Certificate& signer : signers)
    if (!known || !sk_X509_push(known.get(), static_cast<X509*>(signer.certificate_.get())))
      return openssl_error(ErrorKind::io, "out of memory");
  constexpr unsigned kFlags = CMS_DETACHED | CMS_BINARY | CMS_NOINTERN | CMS_NO_SIGNER_CERT_VERIFY;
  // Behind a filter: CMS_verify makes a copy of a bare reader of memory, and loses it where the
  // signature names an unknown hash.
  BioPtr input(BIO_new(BIO_f_null()));
  if (!input) return openssl_error(ErrorKind::io, "out of memory");
  BIO_push(input.get(), reader(content).release());
  if (CMS_verify(cms.get(), known.get(), nullptr, input.get(), nullptr, kFlags) != 1)
    return openssl_error(ErrorKind::untrusted, "not signed by one of the given certificates");
  return {};
}

}  // namespace intact::crypto
