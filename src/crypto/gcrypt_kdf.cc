#include "gcrypt_kdf.h"

#include <limits>

#include <gcrypt.h>

#include "gcrypt_library.h"

namespace intact::crypto {

bool pbkdf2_by_gcrypt(const HashFunction& function, const Secret& password, ByteSpan salt,
                      std::uint64_t iterations, MutableByteSpan key) {
  require_gcrypt();
  const char* const name =
      function.library == HashLibrary::libgcrypt ? function.library_name : function.name.data();
  const int hash = gcry_md_map_name(name);
  if (hash == 0 || gcry_md_test_algo(hash) != 0 ||
      gcry_md_get_algo_dlen(hash) != function.digest_size ||
      iterations > std::numeric_limits<unsigned long>::max())
    return false;
  const char* const text = password.empty() ? "" : password.expose_text().data();
  return gcry_kdf_derive(text, password.size(), GCRY_KDF_PBKDF2, hash, salt.data(), salt.size(),
                         static_cast<unsigned long>(iterations), key.size(), key.data()) == 0;
}

}  // namespace intact::crypto
