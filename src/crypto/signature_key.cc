#include <array>
#include <cstring>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <intact/crypto/signature_key.h>

#include "ed25519ph.h"
#include "openssl_error.h"

namespace intact::crypto {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using MdContext = std::unique_ptr<EVP_MD_CTX, FreeContext>;

struct FreePkcs8 {
  void operator()(PKCS8_PRIV_KEY_INFO* info) const { PKCS8_PRIV_KEY_INFO_free(info); }
};
using Pkcs8 = std::unique_ptr<PKCS8_PRIV_KEY_INFO, FreePkcs8>;

EVP_PKEY* pkey(const std::shared_ptr<void>& key) {
  return static_cast<EVP_PKEY*>(key.get());
}

std::shared_ptr<void> adopt(EVP_PKEY* key) {
  return key ? std::shared_ptr<void>(key, [](void* p) { EVP_PKEY_free(static_cast<EVP_PKEY*>(p)); })
             : nullptr;
}

const unsigned char* raw(ByteSpan bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Result<KeyType> ec_type(EVP_PKEY* key) {
  int explicit_parameters = 0;
  (void)EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                               &explicit_parameters);
  if (explicit_parameters)
    return Error(ErrorKind::unsupported, "elliptic curve given by parameters and not by name");
  std::array<char, 64> name{};
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), nullptr) == 1) {
    const std::string_view curve(name.data());
    if (curve == "prime256v1") return KeyType::ecdsa_p256;
    if (curve == "secp384r1") return KeyType::ecdsa_p384;
    if (curve == "secp521r1") return KeyType::ecdsa_p521;
  }
  return Error(ErrorKind::unsupported,
               "elliptic curve '" + std::string(name.data()) + "' (want P-256, P-384 or P-521)");
}

Result<void> check_rsa(EVP_PKEY* key) {
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < kMinRsaBits || bits > kMaxRsaBits)
    return Error(ErrorKind::unsupported, "RSA key of " + std::to_string(bits) + " bits (want " +
                                             std::to_string(kMinRsaBits) + " to " +
                                             std::to_string(kMaxRsaBits) + ")");
  BIGNUM* exponent = nullptr;
  (void)EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent);
  // With exponent 1 everything is its own signature.
  const bool sound =
      exponent && BN_is_odd(exponent) && !BN_is_one(exponent) && BN_num_bits(exponent) <= 64;
  BN_free(exponent);
  if (!sound) return Error(ErrorKind::malformed, "RSA key with an unsound public exponent");
  return {};
}

Result<KeyType> type_of(EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC:
      return ec_type(key);
    case EVP_PKEY_ED25519:
      return KeyType::ed25519;
    case EVP_PKEY_RSA:
      TRY(check_rsa(key));
      return KeyType::rsa;
    default:
      return Error(ErrorKind::unsupported, "key of a kind that is neither ECDSA, Ed25519 nor RSA");
  }
}

bool scheme_fits(SignatureScheme scheme, KeyType type) {
  switch (scheme) {
    case SignatureScheme::ecdsa_sha256:
    case SignatureScheme::ecdsa_sha384:
    case SignatureScheme::ecdsa_sha512:
      return type == KeyType::ecdsa_p256 || type == KeyType::ecdsa_p384 ||
             type == KeyType::ecdsa_p521;
    case SignatureScheme::rsa_pkcs1_sha256:
    case SignatureScheme::rsa_pss_sha256:
    case SignatureScheme::rsa_pss_sha384:
    case SignatureScheme::rsa_pss_sha512:
      return type == KeyType::rsa;
    case SignatureScheme::ed25519:
    case SignatureScheme::ed25519ph:
      return type == KeyType::ed25519;
  }
  return false;
}

/// Null for schemes that hash on their own.
const EVP_MD* hash_of(SignatureScheme scheme) {
  switch (scheme) {
    case SignatureScheme::ecdsa_sha256:
    case SignatureScheme::rsa_pkcs1_sha256:
    case SignatureScheme::rsa_pss_sha256:
      return EVP_sha256();
    case SignatureScheme::ecdsa_sha384:
    case SignatureScheme::rsa_pss_sha384:
      return EVP_sha384();
    case SignatureScheme::ecdsa_sha512:
    case SignatureScheme::rsa_pss_sha512:
      return EVP_sha512();
    case SignatureScheme::ed25519:
    case SignatureScheme::ed25519ph:
      break;
  }
  return nullptr;
}

/// Sets the padding of a PSS scheme; other schemes need nothing.
bool set_padding(EVP_PKEY_CTX* context, SignatureScheme scheme) {
  switch (scheme) {
    case SignatureScheme::rsa_pss_sha256:
    case SignatureScheme::rsa_pss_sha384:
    case SignatureScheme::rsa_pss_sha512:
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1 &&
             EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash_of(scheme)) == 1;
    default:
      return true;
  }
}

/// The size of r and of s.
Result<int> half_size(KeyType type) {
  switch (type) {
    case KeyType::ecdsa_p256:
      return 32;
    case KeyType::ecdsa_p384:
      return 48;
    case KeyType::ecdsa_p521:
      return 66;
    default:
      return Error(ErrorKind::malformed, "an ECDSA signature of a key of another type");
  }
}

struct FreeEcdsa {
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};
using Ecdsa = std::unique_ptr<ECDSA_SIG, FreeEcdsa>;

/// Any scheme that the key can do, for the check of its halves.
SignatureScheme some_scheme(KeyType type) {
  if (type == KeyType::rsa) return SignatureScheme::rsa_pkcs1_sha256;
  return type == KeyType::ed25519 ? SignatureScheme::ed25519 : SignatureScheme::ecdsa_sha256;
}

}  // namespace

std::string_view to_string(KeyType type) {
  switch (type) {
    case KeyType::ecdsa_p256:
      return "ECDSA P-256";
    case KeyType::ecdsa_p384:
      return "ECDSA P-384";
    case KeyType::ecdsa_p521:
      return "ECDSA P-521";
    case KeyType::ed25519:
      return "Ed25519";
    case KeyType::rsa:
      return "RSA";
  }
  return "unknown";
}

Result<Bytes> ecdsa_to_raw(KeyType type, ByteSpan der) {
  const int half = TRY(half_size(type));
  const unsigned char* position = raw(der);
  const Ecdsa signature(d2i_ECDSA_SIG(nullptr, &position, static_cast<long>(der.size())));
  if (!signature || position != raw(der) + der.size())
    return openssl_error(ErrorKind::malformed, "not an ECDSA signature in DER");
  Bytes bytes(static_cast<std::size_t>(half) * 2);
  auto* const out = reinterpret_cast<unsigned char*>(bytes.data());
  if (BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, half) != half ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + half, half) != half)
    return openssl_error(ErrorKind::malformed, "an ECDSA signature of another curve");
  return bytes;
}

Result<Bytes> ecdsa_from_raw(KeyType type, ByteSpan bytes) {
  const int half = TRY(half_size(type));
  if (bytes.size() != static_cast<std::size_t>(half) * 2)
    return Error(ErrorKind::malformed, "an ECDSA signature of the wrong size");
  const Ecdsa signature(ECDSA_SIG_new());
  BIGNUM* const r = BN_bin2bn(raw(bytes), half, nullptr);
  BIGNUM* const s = BN_bin2bn(raw(bytes) + half, half, nullptr);
  if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return openssl_error(ErrorKind::io, "out of memory");
  }
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  if (size <= 0) return openssl_error(ErrorKind::io, "out of memory");
  const auto* const first = reinterpret_cast<const std::byte*>(der);
  Bytes encoded(first, first + size);
  OPENSSL_free(der);
  return encoded;
}

int VerifyingKey::bits() const {
  return EVP_PKEY_get_bits(pkey(key_));
}

Result<VerifyingKey> VerifyingKey::from_key(std::shared_ptr<void> key) {
  const KeyType type = TRY(type_of(pkey(key)));
  if (type != KeyType::rsa && type != KeyType::ed25519) {
    // One key has one fingerprint, however its point was written.
    if (EVP_PKEY_set_utf8_string_param(pkey(key), OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                       "uncompressed") != 1)
      return openssl_error(ErrorKind::malformed, "public key");
  }
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(pkey(key), &der);
  if (size <= 0) return openssl_error(ErrorKind::malformed, "public key");
  const auto* const first = reinterpret_cast<const std::byte*>(der);
  Bytes spki(first, first + size);
  OPENSSL_free(der);
  return VerifyingKey(std::move(key), type, std::move(spki));
}

Result<VerifyingKey> VerifyingKey::from_spki(ByteSpan der) {
  const unsigned char* position = raw(der);
  auto key = adopt(d2i_PUBKEY(nullptr, &position, static_cast<long>(der.size())));
  if (!key) return openssl_error(ErrorKind::malformed, "not a public key");
  if (position != raw(der) + der.size())
    return Error(ErrorKind::malformed, "bytes after the public key");
  return from_key(std::move(key));
}

Result<VerifyingKey> VerifyingKey::from_pkcs1(ByteSpan der) {
  const unsigned char* position = raw(der);
  auto key = adopt(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &position, static_cast<long>(der.size())));
  if (!key) return openssl_error(ErrorKind::malformed, "not an RSA public key");
  if (position != raw(der) + der.size())
    return Error(ErrorKind::malformed, "bytes after the public key");
  return from_key(std::move(key));
}

bool VerifyingKey::verify(SignatureScheme scheme, ByteSpan message, ByteSpan signature) const {
  if (!scheme_fits(scheme, type_)) return false;
  if (scheme == SignatureScheme::ed25519ph) {
    std::array<std::byte, kEd25519PublicSize> point;
    std::size_t size = point.size();
    return EVP_PKEY_get_raw_public_key(pkey(key_), reinterpret_cast<unsigned char*>(point.data()),
                                       &size) == 1 &&
           verify_ed25519ph(point, message, signature);
  }
  const MdContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* details = nullptr;
  const bool good =
      context &&
      EVP_DigestVerifyInit(context.get(), &details, hash_of(scheme), nullptr, pkey(key_)) == 1 &&
      set_padding(details, scheme) &&
      EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(message),
                       message.size()) == 1;
  if (!good) (void)openssl_error(ErrorKind::untrusted, "");  // empties the thread's queue
  return good;
}

Result<SigningKey> SigningKey::from_key(std::shared_ptr<void> key) {
  SigningKey signer(TRY(VerifyingKey::from_key(std::move(key))));
  // A file may hold a public half that is not the private half's; its signatures would be
  // worthless.
  const SignatureScheme scheme = some_scheme(signer.public_.type());
  const ByteSpan probe = as_bytes("consistency");
  const auto signature = signer.sign(scheme, probe);
  if (!signature || !signer.public_.verify(scheme, probe, *signature))
    return Error(ErrorKind::malformed, "the private and the public half of the key differ");
  return signer;
}

Result<SigningKey> SigningKey::generate(KeyType type) {
  const auto make = [type]() -> EVP_PKEY* {
    switch (type) {
      case KeyType::ecdsa_p256:
        return EVP_EC_gen("P-256");
      case KeyType::ecdsa_p384:
        return EVP_EC_gen("P-384");
      case KeyType::ecdsa_p521:
        return EVP_EC_gen("P-521");
      case KeyType::ed25519:
        return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
      case KeyType::rsa:
        return EVP_RSA_gen(3072);
    }
    return nullptr;
  };
  auto key = adopt(make());
  if (!key) return openssl_error(ErrorKind::io, "cannot generate a key");
  return from_key(std::move(key));
}

Result<SigningKey> SigningKey::from_der(PrivateKeyForm form, const Secret& der) {
  const unsigned char* position = raw(der.expose());
  const unsigned char* const end = position + der.size();
  const long size = static_cast<long>(der.size());
  std::shared_ptr<void> key;
  if (form == PrivateKeyForm::pkcs8) {
    const Pkcs8 info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &position, size));
    if (info) key = adopt(EVP_PKCS82PKEY(info.get()));
  } else {
    const int kind = form == PrivateKeyForm::sec1 ? EVP_PKEY_EC : EVP_PKEY_RSA;
    key = adopt(d2i_PrivateKey(kind, nullptr, &position, size));
  }
  if (!key) return openssl_error(ErrorKind::malformed, "not a private key");
  if (position != end) return Error(ErrorKind::malformed, "bytes after the private key");
  return from_key(std::move(key));
}

Result<Secret> SigningKey::to_pkcs8() const {
  const Pkcs8 info(EVP_PKEY2PKCS8(pkey(public_.key_)));
  unsigned char* der = nullptr;
  const int size = info ? i2d_PKCS8_PRIV_KEY_INFO(info.get(), &der) : -1;
  if (size <= 0) return openssl_error(ErrorKind::io, "cannot encode the private key");
  Secret secret =
      Secret::copy_of({reinterpret_cast<const std::byte*>(der), static_cast<std::size_t>(size)});
  OPENSSL_clear_free(der, static_cast<std::size_t>(size));
  return secret;
}

Result<Bytes> SigningKey::sign(SignatureScheme scheme, ByteSpan message) const {
  if (!scheme_fits(scheme, public_.type()))
    return Error(ErrorKind::invalid_argument, "a key of type " +
                                                  std::string(to_string(public_.type())) +
                                                  " cannot make such a signature");
  if (scheme == SignatureScheme::ed25519ph) {
    Secret seed(kEd25519SeedSize);
    std::size_t size = seed.size();
    if (EVP_PKEY_get_raw_private_key(
            pkey(public_.key_), reinterpret_cast<unsigned char*>(seed.expose().data()), &size) != 1)
      return openssl_error(ErrorKind::io, "cannot sign");
    return sign_ed25519ph(seed, message);
  }
  const MdContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* details = nullptr;
  std::size_t size = 0;
  if (!context ||
      EVP_DigestSignInit(context.get(), &details, hash_of(scheme), nullptr, pkey(public_.key_)) !=
          1 ||
      !set_padding(details, scheme) ||
      EVP_DigestSign(context.get(), nullptr, &size, raw(message), message.size()) != 1)
    return openssl_error(ErrorKind::io, "cannot sign");
  Bytes signature(size);
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     raw(message), message.size()) != 1)
    return openssl_error(ErrorKind::io, "cannot sign");
  signature.resize(size);
  return signature;
}

}  // namespace intact::crypto
