#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include <fmt/format.h>

#include <intact/crypto/block_hasher.h>
#include <intact/crypto/hash_function.h>
#include <intact/crypto/secret.h>

#include "block_mac_kinds.h"

namespace intact::crypto {
namespace {

/// A hash function as it is.
class PlainHash final : public BlockMac {
 public:
  explicit PlainHash(BlockHasher hasher) : hasher_(std::move(hasher)) {}
  std::size_t digest_size() const override { return hasher_.digest_size(); }
  void hash(ByteSpan blocks, ByteSpan heads, MutableByteSpan digests) const override {
    hasher_.hash(blocks, heads, digests);
  }

 private:
  BlockHasher hasher_;
};

/// HMAC (RFC 2104) out of two hashes of many blocks: the key is but a part of their prefixes.
class Hmac final : public BlockMac {
 public:
  Hmac(BlockHasher inner, BlockHasher outer) : inner_(std::move(inner)), outer_(std::move(outer)) {}
  std::size_t digest_size() const override { return outer_.digest_size(); }
  void hash(ByteSpan blocks, ByteSpan heads, MutableByteSpan digests) const override {
    Bytes inner(digests.size());
    inner_.hash(blocks, heads, inner);
    outer_.hash(inner, digests);
    wipe(inner);
  }

 private:
  BlockHasher inner_, outer_;
};

/// The key as HMAC uses it: a whole block of the hash function, XORed with `pad`; then `rest`. In
/// memory that does not move: the engine that gets it wipes it.
Bytes padded_key(ByteSpan key, std::size_t size, std::byte pad, ByteSpan rest = {}) {
  Bytes prefix(size + rest.size(), pad);
  for (std::size_t i = 0; i < key.size(); ++i) prefix[i] ^= key[i];
  std::ranges::copy(rest, prefix.begin() + static_cast<std::ptrdiff_t>(size));
  return prefix;
}

Result<std::unique_ptr<const BlockMac>> make_hmac(const HashFunction& function, ByteSpan key,
                                                  std::size_t block_size, MessageFrame frame) {
  if (key.empty())
    return Error(ErrorKind::bad_secret, fmt::format("hmac({}) needs a key", function.name));
  Secret digest;
  if (key.size() > function.input_block) {
    digest = Secret(function.digest_size);
    BlockHasher(function, key.size()).hash(key, digest.expose());
    key = std::as_const(digest).expose();
  }
  frame.prefix = padded_key(key, function.input_block, std::byte{0x36}, frame.prefix);
  BlockHasher inner(function, block_size, std::move(frame));
  BlockHasher outer(function, function.digest_size,
                    {.prefix = padded_key(key, function.input_block, std::byte{0x5c})});
  return std::make_unique<const Hmac>(std::move(inner), std::move(outer));
}

/// X of "FUNCTION(X)", empty if `name` is none.
std::string_view argument(std::string_view name, std::string_view function) {
  if (!name.starts_with(function) || !name.ends_with(')')) return {};
  name.remove_prefix(function.size());
  if (!name.starts_with('(')) return {};
  return name.substr(1, name.size() - 2);
}

}  // namespace

Result<std::unique_ptr<const BlockMac>> BlockMac::create(std::string_view name, ByteSpan key,
                                                         std::size_t block_size,
                                                         MessageFrame frame) {
  if (const auto inner = argument(name, "hmac"); !inner.empty())
    return make_hmac(TRY(find_hash_function(inner)), key, block_size, std::move(frame));
  if (name == "cmac(aes)") return make_cmac(key, block_size, std::move(frame));
  if (const auto size = blake2b_size(name); size != 0)
    return make_blake2b(size, key, block_size, std::move(frame));
  const HashFunction function = TRY(find_hash_function(name));
  if (!key.empty())
    return Error(ErrorKind::bad_secret, fmt::format("{} takes no key", function.name));
  return std::make_unique<const PlainHash>(BlockHasher(function, block_size, std::move(frame)));
}

}  // namespace intact::crypto
