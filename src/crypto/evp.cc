#include "evp.h"

#include <cstdio>
#include <cstdlib>

namespace intact::crypto {

void require_hash(bool ok) {
  if (ok) return;
  std::fputs("intact: OpenSSL cannot hash; its configuration disables the default provider\n",
             stderr);
  std::abort();
}

const EVP_MD* hash_method(HashAlgorithm algorithm) {
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  static const EVP_MD* const sha512 = EVP_MD_fetch(nullptr, "SHA512", nullptr);
  const EVP_MD* md = algorithm == HashAlgorithm::sha256 ? sha256 : sha512;
  require_hash(md != nullptr);
  return md;
}

EVP_MD_CTX* thread_hash_context() {
  struct Holder {
    EVP_MD_CTX* ctx = EVP_MD_CTX_new();
    ~Holder() { EVP_MD_CTX_free(ctx); }
  };
  static thread_local Holder holder;
  require_hash(holder.ctx != nullptr);
  return holder.ctx;
}

}  // namespace intact::crypto
