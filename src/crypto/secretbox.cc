#include <cassert>

#include <sodium.h>

#include <intact/crypto/secretbox.h>

#include "sodium_library.h"

namespace intact::crypto {

static_assert(kSecretboxKeySize == crypto_secretbox_KEYBYTES &&
              kSecretboxNonceSize == crypto_secretbox_NONCEBYTES &&
              kSecretboxTagSize == crypto_secretbox_MACBYTES);

static const unsigned char* raw(ByteSpan bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

static unsigned char* raw(MutableByteSpan bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

Bytes seal_secretbox(const Secret& key, ByteSpan nonce, const Secret& plain) {
  assert(key.size() == kSecretboxKeySize && nonce.size() == kSecretboxNonceSize);
  require_sodium();
  Bytes box(kSecretboxTagSize + plain.size());
  crypto_secretbox_easy(raw(MutableByteSpan(box)), raw(plain.expose()), plain.size(), raw(nonce),
                        raw(key.expose()));
  return box;
}

Result<Secret> open_secretbox(const Secret& key, ByteSpan nonce, ByteSpan box) {
  assert(key.size() == kSecretboxKeySize && nonce.size() == kSecretboxNonceSize);
  require_sodium();
  if (box.size() < kSecretboxTagSize)
    return Error(ErrorKind::malformed, "secretbox: shorter than its tag");
  Secret plain(box.size() - kSecretboxTagSize);
  if (crypto_secretbox_open_easy(raw(plain.expose()), raw(box), box.size(), raw(nonce),
                                 raw(key.expose())) != 0)
    return Error(ErrorKind::bad_secret, "secretbox: wrong key or changed content");
  return plain;
}

}  // namespace intact::crypto
