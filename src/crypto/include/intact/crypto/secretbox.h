#pragma once

#include <cstddef>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/secret.h>

namespace intact::crypto {

/// NaCl's secretbox: XSalsa20-Poly1305. The box is a 16-byte tag and then the ciphertext.
inline constexpr std::size_t kSecretboxKeySize = 32;    // bytes
inline constexpr std::size_t kSecretboxNonceSize = 24;  // bytes
inline constexpr std::size_t kSecretboxTagSize = 16;    // bytes

/// `key` and `nonce` must have the sizes above; a nonce is used once with a key.
Bytes seal_secretbox(const Secret& key, ByteSpan nonce, const Secret& plain);

/// bad_secret: the tag does not match. The key is wrong or the box was changed, which cannot be
/// told apart.
Result<Secret> open_secretbox(const Secret& key, ByteSpan nonce, ByteSpan box);

}  // namespace intact::crypto
