#include "cosign_key.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <intact/crypto/base64.h>
#include <intact/crypto/kdf.h>
#include <intact/crypto/random.h>
#include <intact/crypto/secretbox.h>
#include <intact/json/json.h>

namespace intact::sign {
namespace {

// The iterations of all cosign releases, all with r = 8 and p = 1: old, present, and those of a
// stricter build. The largest takes 128 MiB.
constexpr std::array<std::uint64_t, 3> kIterations = {32768, 65536, 131072};
constexpr std::uint64_t kIterationsWritten = 65536;
constexpr std::uint32_t kBlockSize = 8;
constexpr std::uint32_t kParallelism = 1;
constexpr std::size_t kSaltSize = 32;  // bytes

Result<Bytes> require_base64(const Json& object, std::string_view key) {
  return crypto::decode_base64(TRY(require_string(object, key))).context(key);
}

Result<void> require_name(const Json& object, std::string_view name) {
  const std::string found = TRY(require_string(object, "name"));
  if (found == name) return {};
  return Error(ErrorKind::unsupported, "uses a function other than " + std::string(name));
}

}  // namespace

Result<CosignKey> CosignKey::parse(ByteSpan json) {
  const Json document = TRY(parse_json(json, {.bytes = 64 * 1024, .depth = 8, .values = 100}));
  const Json& kdf = *TRY(require_object(document, "kdf"));
  TRY(require_name(kdf, "scrypt"));
  const Json& params = *TRY(require_object(kdf, "params"));
  CosignKey key;
  key.n_ = TRY(require_uint(params, "N"));
  const std::uint64_t r = TRY(require_uint(params, "r"));
  const std::uint64_t p = TRY(require_uint(params, "p"));
  if (std::ranges::find(kIterations, key.n_) == kIterations.end() || r != kBlockSize ||
      p != kParallelism)
    return Error(ErrorKind::unsupported,
                 fmt::format("scrypt costs N={} r={} p={} are none of cosign's", key.n_, r, p));
  key.salt_ = TRY(require_base64(kdf, "salt"));
  if (key.salt_.size() != kSaltSize) return Error(ErrorKind::malformed, "salt of the wrong size");

  const Json& cipher = *TRY(require_object(document, "cipher"));
  TRY(require_name(cipher, "nacl/secretbox"));
  key.nonce_ = TRY(require_base64(cipher, "nonce"));
  if (key.nonce_.size() != crypto::kSecretboxNonceSize)
    return Error(ErrorKind::malformed, "nonce of the wrong size");
  key.box_ = TRY(require_base64(document, "ciphertext"));
  if (key.box_.size() <= crypto::kSecretboxTagSize)
    return Error(ErrorKind::malformed, "ciphertext is too short");
  return key;
}

Result<crypto::Secret> CosignKey::decrypt(const crypto::Secret& password) const {
  const crypto::Secret key = TRY(crypto::scrypt(
      password, salt_, {.n = n_, .r = kBlockSize, .p = kParallelism}, crypto::kSecretboxKeySize));
  auto plain = crypto::open_secretbox(key, nonce_, box_);
  if (!plain) return Error(ErrorKind::bad_secret, "wrong password (or the file is damaged)");
  return plain;
}

Result<std::string> encrypt_cosign_key(const crypto::Secret& pkcs8,
                                       const crypto::Secret& password) {
  const Bytes salt = crypto::random_bytes(kSaltSize);
  const Bytes nonce = crypto::random_bytes(crypto::kSecretboxNonceSize);
  const crypto::Secret key = TRY(
      crypto::scrypt(password, salt, {.n = kIterationsWritten, .r = kBlockSize, .p = kParallelism},
                     crypto::kSecretboxKeySize));
  const Bytes box = crypto::seal_secretbox(key, nonce, pkcs8);
  return fmt::format(R"({{"kdf":{{"name":"scrypt","params":{{"N":{},"r":{},"p":{}}},"salt":"{}"}},)"
                     R"("cipher":{{"name":"nacl/secretbox","nonce":"{}"}},"ciphertext":"{}"}})",
                     kIterationsWritten, kBlockSize, kParallelism, crypto::encode_base64(salt),
                     crypto::encode_base64(nonce), crypto::encode_base64(box));
}

}  // namespace intact::sign
