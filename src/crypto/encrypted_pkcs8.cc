#include <memory>
#include <optional>

#include <openssl/asn1.h>
#include <openssl/asn1t.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <intact/crypto/signature_key.h>

#include "openssl_error.h"

namespace intact::crypto {
namespace {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Envelope = std::unique_ptr<X509_SIG, Freed<X509_SIG_free>>;
using Pbes2 = std::unique_ptr<PBE2PARAM, Freed<PBE2PARAM_free>>;
using Pbkdf2 = std::unique_ptr<PBKDF2PARAM, Freed<PBKDF2PARAM_free>>;
using Scrypt = std::unique_ptr<SCRYPT_PARAMS, Freed<SCRYPT_PARAMS_free>>;
using Cipher = std::unique_ptr<EVP_CIPHER, Freed<EVP_CIPHER_free>>;
using PrivateInfo = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Freed<PKCS8_PRIV_KEY_INFO_free>>;

Envelope decode(ByteSpan der) {
  const auto* position = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* const end = position + der.size();
  Envelope envelope(d2i_X509_SIG(nullptr, &position, static_cast<long>(der.size())));
  return position == end ? std::move(envelope) : nullptr;
}

/// The parameters of an algorithm, of the type that `item` describes; null for others.
void* parameters(const X509_ALGOR* algorithm, const ASN1_ITEM* item) {
  const ASN1_OBJECT* object = nullptr;
  int type = V_ASN1_UNDEF;
  const void* value = nullptr;
  X509_ALGOR_get0(&object, &type, &value, algorithm);
  if (type != V_ASN1_SEQUENCE) return nullptr;
  return ASN1_item_unpack(static_cast<const ASN1_STRING*>(value), item);
}

int name_of(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  return OBJ_obj2nid(object);
}

/// Nothing for a number that is negative or too large to be meant.
std::optional<std::uint64_t> number(const ASN1_INTEGER* integer) {
  std::uint64_t value = 0;
  if (!integer || ASN1_INTEGER_get_uint64(&value, integer) != 1) return std::nullopt;
  return value;
}

Error too_costly() {
  return Error(ErrorKind::unsupported,
               "encrypted private key: deriving the key would cost too much time or memory");
}

Result<void> check_derivation(const X509_ALGOR* derivation) {
  switch (name_of(derivation)) {
    case NID_id_pbkdf2: {
      const Pbkdf2 found(
          static_cast<PBKDF2PARAM*>(parameters(derivation, ASN1_ITEM_rptr(PBKDF2PARAM))));
      if (!found) return openssl_error(ErrorKind::malformed, "encrypted private key");
      const auto iterations = number(found->iter);
      if (!iterations || *iterations > kMaxPbkdf2Iterations) return too_costly();
      return {};
    }
    case NID_id_scrypt: {
      const Scrypt found(
          static_cast<SCRYPT_PARAMS*>(parameters(derivation, ASN1_ITEM_rptr(SCRYPT_PARAMS))));
      if (!found) return openssl_error(ErrorKind::malformed, "encrypted private key");
      const auto n = number(found->costParameter);
      const auto r = number(found->blockSize);
      const auto p = number(found->parallelizationParameter);
      // One block of r takes 128 r bytes; there are N + 2 of them, and p for what is mixed.
      constexpr std::uint64_t kMaxBlocks = kMaxScryptMemory / 128;
      if (!n || !r || !p || *n > kMaxBlocks || *r > kMaxBlocks || *p > kMaxBlocks ||
          *r * (*n + 2 + *p) > kMaxBlocks)
        return too_costly();
      return {};
    }
    default:
      return Error(ErrorKind::unsupported,
                   "encrypted private key: derived neither by PBKDF2 nor by scrypt");
  }
}

}  // namespace

Result<EncryptedPkcs8> EncryptedPkcs8::parse(ByteSpan der) {
  const Envelope envelope = decode(der);
  if (!envelope) return openssl_error(ErrorKind::malformed, "not an encrypted private key");
  const X509_ALGOR* algorithm = nullptr;
  X509_SIG_get0(envelope.get(), &algorithm, nullptr);
  if (name_of(algorithm) != NID_pbes2)
    return Error(ErrorKind::unsupported,
                 "encrypted private key: an outdated form of encryption; convert it with "
                 "`openssl pkcs8 -topk8`");
  const Pbes2 scheme(static_cast<PBE2PARAM*>(parameters(algorithm, ASN1_ITEM_rptr(PBE2PARAM))));
  if (!scheme) return openssl_error(ErrorKind::malformed, "encrypted private key");
  TRY(check_derivation(scheme->keyfunc));
  const Cipher cipher(EVP_CIPHER_fetch(nullptr, OBJ_nid2sn(name_of(scheme->encryption)), nullptr));
  if (!cipher)
    return openssl_error(ErrorKind::unsupported, "encrypted private key: unsupported cipher");
  return EncryptedPkcs8(Bytes(der.begin(), der.end()));
}

Result<SigningKey> EncryptedPkcs8::open(const Secret& password) const {
  const Error wrong(ErrorKind::bad_secret, "wrong password (or the file is damaged)");
  const Envelope envelope = decode(der_);
  const std::string_view text = password.expose_text();
  // A null pointer would mean something else than an empty password.
  const char* const first = text.empty() ? "" : text.data();
  const PrivateInfo info(
      envelope ? PKCS8_decrypt(envelope.get(), first, static_cast<int>(text.size())) : nullptr);
  if (!info) {
    (void)openssl_error(ErrorKind::bad_secret, "");  // empties the thread's queue
    return Error(wrong);
  }
  unsigned char* der = nullptr;
  const int size = i2d_PKCS8_PRIV_KEY_INFO(info.get(), &der);
  if (size <= 0) return openssl_error(ErrorKind::io, "cannot encode the private key");
  const Secret plain =
      Secret::copy_of({reinterpret_cast<const std::byte*>(der), static_cast<std::size_t>(size)});
  OPENSSL_clear_free(der, static_cast<std::size_t>(size));
  return SigningKey::from_der(PrivateKeyForm::pkcs8, plain);
}

}  // namespace intact::crypto
