// OpenSSL 3 shows the state of a hash only through functions that it calls deprecated.
#define OPENSSL_SUPPRESS_DEPRECATED

#include <algorithm>

#include <openssl/crypto.h>
#include <openssl/md5.h>

#include <intact/base/endian.h>
#include <intact/crypto/hash_function.h>

#include "evp.h"

namespace intact::crypto {

std::array<std::byte, 16> md5_state(std::initializer_list<ByteSpan> parts) {
  MD5_CTX context;
  bool ok = MD5_Init(&context) == 1;
  for (const ByteSpan part : parts)
    ok = ok && (part.empty() || MD5_Update(&context, part.data(), part.size()) == 1);
  require_hash(ok && context.num == 0);
  const std::array<le32, 4> words{context.A, context.B, context.C, context.D};
  OPENSSL_cleanse(&context, sizeof context);
  std::array<std::byte, 16> state;
  std::ranges::copy(bytes_of(words), state.begin());
  return state;
}

}  // namespace intact::crypto
