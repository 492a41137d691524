#include "keyed_cipher.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <intact/crypto/block_hasher.h>
#include <intact/crypto/hash_function.h>
#include <intact/crypto/secret.h>

namespace intact::crypt {
namespace {

Error invalid(std::string_view why) {
  return Error(ErrorKind::invalid_argument, std::string(why));
}

Error key_error(const std::string& why) {
  return Error(ErrorKind::bad_secret, "Error decoding and setting key: " + why);
}

/// An error of an IV mode, about which the kernel says no more.
Error iv_error(std::string_view why, ErrorKind kind = ErrorKind::invalid_argument) {
  return Error(kind, fmt::format("Error creating IV: {}", why));
}

/// The error of a cipher in the kernel's words: no such cipher, or no such key.
Error cipher_error(Error error) {
  const bool is_key = error.kind() == ErrorKind::bad_secret;
  return std::move(error).with_context(is_key ? "Error decoding and setting key"
                                              : "Error allocating crypto tfm");
}

/// The block cipher in "xts(aes)", "cbc(aes)" or "authenc(hmac(sha256),cbc(aes))".
std::string_view block_cipher_of(std::string_view name) {
  const std::size_t open = name.rfind('(');
  return open == name.npos ? name : name.substr(open + 1, name.find(')', open) - open - 1);
}

/// The cipher of essiv: its key is the hash of the other's.
Result<std::unique_ptr<const crypto::SectorCipher>> make_essiv(const CipherSpec& spec,
                                                               ByteSpan key) {
  const auto function = TRY(crypto::find_hash_function(spec.iv_options));
  crypto::Secret digest(function.digest_size);
  crypto::BlockHasher(function, key.size()).hash(key, digest.expose());
  const std::string name = fmt::format("ecb({})", block_cipher_of(spec.cipher));
  auto cipher = crypto::SectorCipher::create(name, std::as_const(digest).expose());
  if (!cipher && cipher.error().kind() == ErrorKind::bad_secret)
    return Error(ErrorKind::bad_secret, fmt::format("a hash of {} is not a key of {}",
                                                    spec.iv_options, block_cipher_of(spec.cipher)));
  return cipher;
}

/// How a key is divided: those of the ciphers, then what the IV mode has of its own.
struct KeyParts {
  std::size_t cipher;  // bytes of each cipher's key
  std::size_t extra;   // bytes after them
};

Result<KeyParts> divide(const SectorParams& params, std::size_t iv_size, std::size_t size) {
  const std::size_t count = params.spec.key_count;
  std::size_t extra = 0;
  if (params.spec.iv == "lmk" && size % count != 0) {
    if (size % (count + 1) != 0)
      return key_error(fmt::format("{} bytes are neither {} nor {} keys", size, count, count + 1));
    extra = size / (count + 1);
  } else if (params.spec.iv == "tcw") {
    extra = iv_size + kTcwWhitening;
  } else if (params.spec.iv == "elephant") {
    extra = size / 2;
  }
  if (size <= extra || (size - extra) % count != 0)
    return key_error(fmt::format("{} bytes are not {} keys", size, count));
  return KeyParts{(size - extra) / count, extra};
}

/// IV modes are chosen before a cipher has its key, and what they need of the key depends on the
/// size of its IVs: that of the cipher with any key that it takes.
Result<std::size_t> iv_size_without_key(const SectorParams& params) {
  if (params.spec.iv != "tcw") return std::size_t{0};
  for (const std::size_t size : {16, 32, 64, 24})
    if (const auto cipher = crypto::SectorCipher::create(params.spec.cipher, Bytes(size)))
      return (*cipher)->iv_size();
    else if (cipher.error().kind() != ErrorKind::bad_secret)
      return cipher_error(Error(cipher.error()));
  return Error(ErrorKind::unsupported, "Error allocating crypto tfm: " + params.spec.cipher);
}

/// How large the tags of an authenticated cipher are: what a stored IV leaves of the records.
Result<std::size_t> tag_size_of(const SectorParams& params, ByteSpan key) {
  if (!params.is_aead) return std::size_t{0};
  if (params.spec.iv != "random") return std::size_t{params.record_size};
  // Its IVs have one size, whatever that of its tags.
  const auto whole = TRY(KeyedCipher::create(params, 0, key));
  if (whole->iv_size() >= params.record_size)
    return invalid("Not enough space for integrity tag in the profile");
  return params.record_size - whole->iv_size();
}

Result<std::unique_ptr<const IvMode>> make_mode(const SectorParams& params,
                                                const KeyedCipher& first, ByteSpan extra) {
  const std::string& name = params.spec.iv;
  const std::size_t iv_size = first.iv_size();
  using Mode = std::unique_ptr<const IvMode>;
  if (Mode counting = make_counting_ivs(name, iv_size, first.block_size())) return counting;
  if (name == "eboiv" || name == "elephant") {
    if (params.is_aead) return iv_error("AEAD transforms not supported for EBOIV");
    if (first.block_size() != iv_size)
      return iv_error("Block size of EBOIV cipher does not match IV size of block cipher");
    if (name == "eboiv") return make_eboiv(first.plain());
    auto mode = make_elephant(first.plain(), extra);
    if (!mode) return cipher_error(std::move(mode).error());
    return mode;
  }
  if (name == "lmk" || name == "tcw") {
    if (params.sector_size != 512)
      return iv_error(fmt::format("Unsupported sector size for {}", name == "lmk" ? "LMK" : "TCW"));
    // Their functions see sectors, of which those of an authenticated cipher would be changed
    // after they were authenticated.
    if (params.is_aead) return iv_error(fmt::format("{} with an authenticated cipher", name));
    if (name == "tcw") return make_tcw(extra.first(iv_size), extra.subspan(iv_size));
    // The IV is applied after the first block was decrypted without it, which cbc allows. The
    // kernel takes other modes and does not read back what it wrote.
    if (!params.spec.cipher.starts_with("cbc("))
      return iv_error("lmk needs cbc", ErrorKind::unsupported);
    if (iv_size > 16 || (!extra.empty() && extra.size() < 16))
      return key_error("the seed of lmk has 16 bytes");
    return make_lmk(extra, iv_size);
  }
  return Error(ErrorKind::unsupported, fmt::format("Invalid IV mode: '{}'", name));
}

}  // namespace

Result<std::unique_ptr<const KeyedCipher>> KeyedCipher::create(const SectorParams& params,
                                                               std::size_t tag_size, ByteSpan key) {
  auto made = std::make_unique<KeyedCipher>();
  const CipherSpec& spec = params.spec;
  if (params.is_aead) {
    auto aead = crypto::SectorAead::create(spec.cipher, key,
                                           {.sector_size = params.sector_size,
                                            .tag_size = tag_size,
                                            .mac_key_size = params.mac_key_size});
    if (!aead && aead.error().kind() == ErrorKind::invalid_argument)
      return std::move(aead).error().with_context("Integrity AEAD auth tag size is not supported");
    if (!aead) return cipher_error(std::move(aead).error());
    made->aead_ = *std::move(aead);
  } else {
    auto plain = crypto::SectorCipher::create(spec.cipher, key);
    if (!plain) return cipher_error(std::move(plain).error());
    made->plain_ = *std::move(plain);
  }
  if (spec.iv == "essiv") {
    auto essiv = make_essiv(spec, key);
    if (!essiv) return cipher_error(std::move(essiv).error());
    const bool fits = (*essiv)->block_size() == made->iv_size() &&
                      (!params.is_aead || spec.cipher.starts_with("authenc("));
    if (!fits)
      return Error(
          ErrorKind::unsupported,
          fmt::format("Error allocating crypto tfm: {} takes no IVs of essiv", spec.cipher));
    made->essiv_ = *std::move(essiv);
  }
  return std::unique_ptr<const KeyedCipher>(std::move(made));
}

void KeyedCipher::encrypt_ivs(MutableByteSpan ivs) const {
  if (essiv_) essiv_->encrypt({}, ivs, ivs);
}

void KeyedCipher::encrypt(MutableByteSpan ivs, ByteSpan numbers, ByteSpan in, MutableByteSpan out,
                          MutableByteSpan tags) const {
  encrypt_ivs(ivs);
  if (aead_)
    aead_->encrypt(ivs, numbers, in, out, tags);
  else
    plain_->encrypt(ivs, in, out);
}

std::vector<std::size_t> KeyedCipher::decrypt(MutableByteSpan ivs, ByteSpan numbers, ByteSpan in,
                                              ByteSpan tags, MutableByteSpan out) const {
  encrypt_ivs(ivs);
  if (aead_) return aead_->decrypt(ivs, numbers, in, tags, out);
  plain_->decrypt(ivs, in, out);
  return {};
}

Result<KeyedCiphers> make_keyed_ciphers(const SectorParams& params, ByteSpan key) {
  const CipherSpec& spec = params.spec;
  if (spec.key_count > key.size())
    return key_error(fmt::format("{} bytes are not {} keys", key.size(), spec.key_count));
  const auto [cipher_key, extra] =
      TRY(divide(params, TRY(iv_size_without_key(params)), key.size()));
  KeyedCiphers made;
  made.tag_size = TRY(tag_size_of(params, key.first(cipher_key)));
  for (std::size_t i = 0; i < spec.key_count; ++i)
    made.keyed.push_back(
        TRY(KeyedCipher::create(params, made.tag_size, key.subspan(i * cipher_key, cipher_key))));
  const KeyedCipher& first = *made.keyed.front();
  made.iv_size = first.iv_size();
  if (made.iv_size == 0) return made;  // ecb: an IV mode is ignored, as by the kernel
  if (spec.iv.empty()) return invalid("IV mechanism required: '" + spec.text + "'");
  if (spec.iv != "random") {
    made.mode = TRY(make_mode(params, first, key.last(extra)));
    return made;
  }
  if (params.record_size == 0)
    return invalid("Integrity profile not supported: random IVs need an integrity option");
  if (made.iv_size + made.tag_size > params.record_size)
    return invalid("Not enough space for integrity tag in the profile");
  made.stores_iv = true;
  return made;
}

}  // namespace intact::crypt
