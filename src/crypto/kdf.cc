#include <openssl/evp.h>

#include <intact/base/checked.h>
#include <intact/crypto/kdf.h>

#include "openssl_error.h"

namespace intact::crypto {

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
