#include <string>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <intact/base/checked.h>
#include <intact/crypto/hash_function.h>
#include <intact/crypto/kdf.h>

#include "gcrypt_kdf.h"
#include "openssl_error.h"

namespace intact::crypto {
namespace {

bool pbkdf2_by_openssl(const char* hash, const Secret& password, ByteSpan salt,
                       std::uint64_t iterations, MutableByteSpan key) {
  EVP_KDF* const method = EVP_KDF_fetch(nullptr, "PBKDF2", nullptr);
  EVP_KDF_CTX* const context = method ? EVP_KDF_CTX_new(method) : nullptr;
  EVP_KDF_free(method);
  int unrestricted = 1;  // a LUKS header may have fewer iterations than NIST asks for today
  // Null pointers mean "not set", hence the literals.
  const auto octets = [](const char* name, ByteSpan bytes) {
    const char* const data = bytes.empty() ? "" : as_text(bytes).data();
    return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(data), bytes.size());
  };
  const OSSL_PARAM params[] = {
      octets(OSSL_KDF_PARAM_PASSWORD, password.expose()),
      octets(OSSL_KDF_PARAM_SALT, salt),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_ITER, &iterations),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, const_cast<char*>(hash), 0),
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_PKCS5, &unrestricted),
      OSSL_PARAM_construct_end()};
  const bool ok = context && EVP_KDF_derive(context, reinterpret_cast<unsigned char*>(key.data()),
                                            key.size(), params) == 1;
  EVP_KDF_CTX_free(context);
  return ok;
}

}  // namespace

Result<Secret> pbkdf2(std::string_view hash, const Secret& password, ByteSpan salt,
                      std::uint64_t iterations, std::size_t size) {
  const HashFunction function = TRY(find_hash_function(hash));
  if (iterations == 0 || size == 0)
    return Error(ErrorKind::invalid_argument, "pbkdf2: no iterations, or an empty key");
  Secret key(size);
  // libgcrypt is faster by half for SHA-256, and has all of them, but takes no empty salt.
  if (pbkdf2_by_gcrypt(function, password, salt, iterations, key.expose())) return key;
  if (function.library != HashLibrary::openssl)
    return Error(ErrorKind::invalid_argument, "pbkdf2: the salt is empty");
  if (!pbkdf2_by_openssl(function.library_name, password, salt, iterations, key.expose()))
    return openssl_error(ErrorKind::invalid_argument, "pbkdf2");
  return key;
}

Result<Secret> scrypt(const Secret& password, ByteSpan salt, const ScryptParams& params,
                      std::size_t size) {
  // OpenSSL refuses anything over 32 MiB unless it is told a higher bound. What it needs: the table
  // (128 n r), the blocks (128 r p) and some scratch.
  const auto units = checked_add<std::uint64_t>(params.n, params.p);
  const auto per_unit = checked_multiply<std::uint64_t>(128, params.r);
  const auto table = units && per_unit ? checked_multiply(*units, *per_unit) : std::nullopt;
  const auto bound = table ? checked_add<std::uint64_t>(*table, *per_unit * 2 + 65536) : table;
  if (!bound) return Error(ErrorKind::invalid_argument, "scrypt: parameters out of range");
  Secret key(size);
  // A null pointer as password means "empty" only together with length 0, hence the literal.
  const char* const text = password.empty() ? "" : password.expose_text().data();
  if (EVP_PBE_scrypt(text, password.size(), reinterpret_cast<const unsigned char*>(salt.data()),
                     salt.size(), params.n, params.r, params.p, *bound,
                     reinterpret_cast<unsigned char*>(key.expose().data()), key.size()) != 1)
    return openssl_error(ErrorKind::invalid_argument, "scrypt");
  return key;
}

}  // namespace intact::crypto
