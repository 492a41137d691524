#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <gcrypt.h>

#include <intact/crypto/block_hasher.h>
#include <intact/crypto/secret.h>
#include <intact/crypto/sector_cipher.h>

#include "gcrypt_cipher.h"
#include "gcrypt_library.h"

namespace intact::crypto {
namespace {

constexpr std::size_t kNumberSize = SectorAead::kNumberSize;

void clear(MutableByteSpan bytes) {
  std::ranges::fill(bytes, std::byte{0});
}

/// GCM, CCM and ChaCha20-Poly1305: the library does it all, one sector at a time.
class GcryptAead final : public SectorAead {
 public:
  struct Kind {
    int mode;
    std::size_t block_size, iv_size;
    bool iv_is_data;             // the IV is authenticated as data, too
    std::string_view tag_sizes;  // each as a character
  };
  GcryptAead(std::unique_ptr<GcryptCipher> cipher, Kind kind, ByteSpan salt,
             std::size_t sector_size, std::size_t tag_size)
      : cipher_(std::move(cipher)),
        kind_(kind),
        salt_(Secret::copy_of(salt)),
        sector_size_(sector_size),
        tag_size_(tag_size) {}

  std::size_t block_size() const override { return kind_.block_size; }
  std::size_t iv_size() const override { return kind_.iv_size; }
  std::size_t tag_size() const override { return tag_size_; }

  void encrypt(ByteSpan ivs, ByteSpan numbers, ByteSpan in, MutableByteSpan out,
               MutableByteSpan tags) const override {
    const std::size_t count = in.size() / sector_size_;
    const auto handle = cipher_->lease();
    for (std::size_t i = 0; i < count; ++i) {
      begin(*handle, ivs, numbers, i);
      require_done(gcry_cipher_encrypt(*handle, out.data() + i * sector_size_, sector_size_,
                                       in.data() + i * sector_size_, sector_size_) == 0);
      std::ranges::copy(ByteSpan(whole_tag(*handle)).first(tag_size_),
                        tags.begin() + i * tag_size_);
    }
  }

  std::vector<std::size_t> decrypt(ByteSpan ivs, ByteSpan numbers, ByteSpan in, ByteSpan tags,
                                   MutableByteSpan out) const override {
    std::vector<std::size_t> bad;
    const std::size_t count = in.size() / sector_size_;
    const auto handle = cipher_->lease();
    for (std::size_t i = 0; i < count; ++i) {
      const MutableByteSpan sector = out.subspan(i * sector_size_, sector_size_);
      begin(*handle, ivs, numbers, i);
      require_done(gcry_cipher_decrypt(*handle, sector.data(), sector_size_,
                                       in.data() + i * sector_size_, sector_size_) == 0);
      const auto tag = whole_tag(*handle);
      if (equal_secret(ByteSpan(tag).first(tag_size_), tags.subspan(i * tag_size_, tag_size_)))
        continue;
      clear(sector);
      bad.push_back(i);
    }
    return bad;
  }

 private:
  /// Of GCM and Poly1305 all 16 bytes; CCM knows how many are used, and its tag depends on that.
  std::array<std::byte, 16> whole_tag(gcry_cipher_hd_t handle) const {
    std::array<std::byte, 16> tag{};
    const std::size_t size = kind_.mode == GCRY_CIPHER_MODE_CCM ? tag_size_ : tag.size();
    require_done(gcry_cipher_gettag(handle, tag.data(), size) == 0);
    return tag;
  }

  void begin(gcry_cipher_hd_t handle, ByteSpan ivs, ByteSpan numbers, std::size_t i) const {
    const ByteSpan iv = ivs.subspan(i * kind_.iv_size, kind_.iv_size);
    const ByteSpan number = numbers.subspan(i * kNumberSize, kNumberSize);
    std::array<std::byte, 16> nonce;
    std::ranges::copy(iv, std::ranges::copy(salt_.expose(), nonce.begin()).out);
    require_done(gcry_cipher_setiv(handle, nonce.data(), salt_.size() + iv.size()) == 0);
    std::array<std::byte, kNumberSize + 16> data;
    std::ranges::copy(iv, std::ranges::copy(number, data.begin()).out);
    const std::size_t data_size = kind_.iv_is_data ? kNumberSize + iv.size() : kNumberSize;
    if (kind_.mode == GCRY_CIPHER_MODE_CCM) {
      std::uint64_t lengths[] = {sector_size_, data_size, tag_size_};
      require_done(gcry_cipher_ctl(handle, GCRYCTL_SET_CCM_LENGTHS, lengths, sizeof lengths) == 0);
    }
    require_done(gcry_cipher_authenticate(handle, data.data(), data_size) == 0);
  }

  std::unique_ptr<GcryptCipher> cipher_;
  Kind kind_;
  Secret salt_;
  std::size_t sector_size_;
  std::size_t tag_size_;
};

/// Encrypted, then authenticated: of many sectors at a time.
class Authenc final : public SectorAead {
 public:
  Authenc(std::unique_ptr<const SectorCipher> cipher, std::unique_ptr<const BlockMac> mac,
          std::size_t tag_size)
      : cipher_(std::move(cipher)), mac_(std::move(mac)), tag_size_(tag_size) {}

  std::size_t block_size() const override { return cipher_->block_size(); }
  std::size_t iv_size() const override { return cipher_->iv_size(); }
  std::size_t tag_size() const override { return tag_size_; }

  void encrypt(ByteSpan ivs, ByteSpan numbers, ByteSpan in, MutableByteSpan out,
               MutableByteSpan tags) const override {
    cipher_->encrypt(ivs, in, out);
    const Bytes whole = whole_tags(out, heads(ivs, numbers));
    for (std::size_t i = 0; i * tag_size_ < tags.size(); ++i)
      std::ranges::copy(tag(whole, i), tags.begin() + i * tag_size_);
  }

  std::vector<std::size_t> decrypt(ByteSpan ivs, ByteSpan numbers, ByteSpan in, ByteSpan tags,
                                   MutableByteSpan out) const override {
    Bytes right = whole_tags(in, heads(ivs, numbers));
    cipher_->decrypt(ivs, in, out);
    std::vector<std::size_t> bad;
    const std::size_t count = numbers.size() / kNumberSize;
    for (std::size_t i = 0; i < count; ++i) {
      if (equal_secret(tags.subspan(i * tag_size_, tag_size_), tag(right, i))) continue;
      clear(out.subspan(i * (out.size() / count), out.size() / count));
      bad.push_back(i);
    }
    wipe(right);  // a forger would like to have those of sectors that do not have theirs
    return bad;
  }

 private:
  /// What the MAC begins with for each sector: its number and its IV.
  Bytes heads(ByteSpan ivs, ByteSpan numbers) const {
    Bytes heads;
    heads.reserve(ivs.size() + numbers.size());
    for (std::size_t i = 0; i < numbers.size() / kNumberSize; ++i) {
      const ByteSpan number = numbers.subspan(i * kNumberSize, kNumberSize);
      const ByteSpan iv = ivs.subspan(i * iv_size(), iv_size());
      heads.insert(heads.end(), number.begin(), number.end());
      heads.insert(heads.end(), iv.begin(), iv.end());
    }
    return heads;
  }

  Bytes whole_tags(ByteSpan sectors, ByteSpan heads) const {
    Bytes whole(heads.size() / (kNumberSize + iv_size()) * mac_->digest_size());
    mac_->hash(sectors, heads, whole);
    return whole;
  }
  ByteSpan tag(ByteSpan whole, std::size_t i) const {
    return whole.subspan(i * mac_->digest_size(), tag_size_);
  }

  std::unique_ptr<const SectorCipher> cipher_;
  std::unique_ptr<const BlockMac> mac_;
  std::size_t tag_size_;
};

using Made = Result<std::unique_ptr<const SectorAead>>;

Error unknown(std::string_view name) {
  return Error(ErrorKind::unsupported,
               fmt::format("unknown authenticated cipher '{}'; there are gcm(aes), "
                           "rfc4309(ccm(aes)), rfc7539(chacha20,poly1305) and "
                           "authenc(hmac(sha256),xts(aes)), also with other ciphers and hashes",
                           name));
}

Error wrong_key(std::string_view name, std::size_t size) {
  return Error(ErrorKind::bad_secret, fmt::format("{} takes no key of {} bytes", name, size));
}

Error wrong_tag(std::string_view name, std::size_t size) {
  return Error(ErrorKind::invalid_argument, fmt::format("{} has no tags of {} bytes", name, size));
}

/// `salt_size` bytes at the end of the key begin each nonce.
Made make_gcrypt(std::string_view name, const std::vector<BlockCipher>& ciphers, ByteSpan key,
                 std::size_t salt_size, const AeadShape& shape, GcryptAead::Kind kind) {
  const std::size_t tag_size = shape.tag_size == 0 ? 16 : shape.tag_size;
  if (tag_size > 16 || kind.tag_sizes.find(static_cast<char>(tag_size)) == std::string_view::npos)
    return wrong_tag(name, tag_size);
  for (const BlockCipher& cipher : ciphers) {
    if (cipher.key_size + salt_size != key.size()) continue;
    auto keyed = GcryptCipher::create(cipher.algorithm, kind.mode, key.first(cipher.key_size));
    if (!keyed) break;
    return std::make_unique<const GcryptAead>(std::move(keyed), kind, key.last(salt_size),
                                              shape.sector_size, tag_size);
  }
  return wrong_key(name, key.size());
}

Made make_authenc(std::string_view name, std::string_view mac_name, std::string_view cipher_name,
                  ByteSpan key, const AeadShape& shape) {
  if (!mac_name.starts_with("hmac(") && mac_name != "cmac(aes)") return unknown(name);
  // How large its tag is can be asked of a MAC with any key.
  const std::size_t whole =
      TRY(BlockMac::create(mac_name, Bytes(16), shape.sector_size))->digest_size();
  const std::size_t mac_key_size = shape.mac_key_size == 0 ? whole : shape.mac_key_size;
  const std::size_t tag_size = shape.tag_size == 0 ? whole : shape.tag_size;
  if (tag_size > whole) return wrong_tag(name, tag_size);
  if (key.size() <= mac_key_size) return wrong_key(name, key.size());
  const auto cipher_key = key.first(key.size() - mac_key_size);
  auto cipher = SectorCipher::create(cipher_name, cipher_key);
  if (!cipher && cipher.error().kind() == ErrorKind::bad_secret) return wrong_key(name, key.size());
  if (!cipher) return std::move(cipher).error();
  if ((*cipher)->iv_size() == 0)
    return Error(ErrorKind::unsupported, fmt::format("{}: a cipher without an IV", name));
  auto mac = TRY(BlockMac::create(mac_name, key.last(mac_key_size), shape.sector_size,
                                  {.head_size = kNumberSize + (*cipher)->iv_size()}));
  return std::make_unique<const Authenc>(*std::move(cipher), std::move(mac), tag_size);
}

/// X of "FUNCTION(X)", empty if `name` is not such a name.
std::string_view argument(std::string_view name, std::string_view function) {
  if (!name.starts_with(function) || !name.ends_with(')')) return {};
  name.remove_prefix(function.size());
  return name.starts_with('(') ? name.substr(1, name.size() - 2) : std::string_view();
}

/// Ciphers of that name with blocks of 16 bytes.
std::vector<BlockCipher> wide_ciphers(std::string_view name) {
  auto ciphers = block_ciphers(name);
  std::erase_if(ciphers, [](const BlockCipher& cipher) { return cipher.block_size() != 16; });
  return ciphers;
}

}  // namespace

Made SectorAead::create(std::string_view name, ByteSpan key, const AeadShape& shape) {
  if (const auto ciphers = wide_ciphers(argument(name, "gcm")); !ciphers.empty())
    return make_gcrypt(name, ciphers, key, 0, shape,
                       {GCRY_CIPHER_MODE_GCM, 1, 12, true, "\4\10\14\15\16\17\20"});
  if (const auto ciphers = wide_ciphers(argument(argument(name, "rfc4309"), "ccm"));
      !ciphers.empty())
    return make_gcrypt(name, ciphers, key, 3, shape,
                       {GCRY_CIPHER_MODE_CCM, 1, 8, false, "\10\14\20"});
  if (name == "rfc7539(chacha20,poly1305)")
    return make_gcrypt(name, {{"chacha20", 32, GCRY_CIPHER_CHACHA20}}, key, 0, shape,
                       {GCRY_CIPHER_MODE_POLY1305, 1, 12, true, "\20"});
  const std::string_view parts = argument(name, "authenc");
  const std::size_t comma = parts.find("),");
  if (comma == parts.npos) return unknown(name);
  return make_authenc(name, parts.substr(0, comma + 1), parts.substr(comma + 2), key, shape);
}

}  // namespace intact::crypto
