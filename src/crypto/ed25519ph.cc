#include "ed25519ph.h"

#include <array>
#include <cassert>

#include <sodium.h>

#include "sodium_library.h"

namespace intact::crypto {

static_assert(kEd25519PublicSize == crypto_sign_PUBLICKEYBYTES &&
              kEd25519SeedSize == crypto_sign_SEEDBYTES);

// What libsodium calls its multi-part signature is Ed25519ph.
static crypto_sign_state hashed(ByteSpan message) {
  require_sodium();
  crypto_sign_state state;
  crypto_sign_init(&state);
  crypto_sign_update(&state, reinterpret_cast<const unsigned char*>(message.data()),
                     message.size());
  return state;
}

bool verify_ed25519ph(ByteSpan point, ByteSpan message, ByteSpan signature) {
  assert(point.size() == kEd25519PublicSize);
  if (signature.size() != crypto_sign_BYTES) return false;
  crypto_sign_state state = hashed(message);
  return crypto_sign_final_verify(&state, reinterpret_cast<const unsigned char*>(signature.data()),
                                  reinterpret_cast<const unsigned char*>(point.data())) == 0;
}

Bytes sign_ed25519ph(const Secret& seed, ByteSpan message) {
  assert(seed.size() == kEd25519SeedSize);
  crypto_sign_state state = hashed(message);
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> point;
  Secret expanded(crypto_sign_SECRETKEYBYTES);
  auto* const secret = reinterpret_cast<unsigned char*>(expanded.expose().data());
  crypto_sign_seed_keypair(point.data(), secret,
                           reinterpret_cast<const unsigned char*>(seed.expose().data()));
  Bytes signature(crypto_sign_BYTES);
  crypto_sign_final_create(&state, reinterpret_cast<unsigned char*>(signature.data()), nullptr,
                           secret);
  return signature;
}

}  // namespace intact::crypto
