#include <cstdlib>

#include <sodium.h>

#include <intact/crypto/random.h>

#include "sodium_library.h"

namespace intact::crypto {

void require_sodium() {
  static const int status = sodium_init();
  if (status < 0) std::abort();
}

void fill_random(MutableByteSpan out) {
  require_sodium();
  if (!out.empty()) randombytes_buf(out.data(), out.size());
}

Bytes random_bytes(std::size_t size) {
  Bytes bytes(size);
  fill_random(bytes);
  return bytes;
}

}  // namespace intact::crypto
