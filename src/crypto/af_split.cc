#include "af_split.h"

#include <algorithm>
#include <limits>

#include <intact/base/checked.h>
#include <intact/base/endian.h>
#include <intact/crypto/block_hasher.h>
#include <intact/crypto/hash_function.h>
#include <intact/crypto/random.h>

namespace intact::crypto {
namespace {

/// Replaces each piece of a key, as long as a digest, by the hash of its number and itself.
class Diffuser {
 public:
  Diffuser(const HashFunction& function, std::size_t key_size)
      : piece_(function.digest_size),
        whole_(key_size / piece_),
        rest_(key_size % piece_),
        of_pieces_(function, piece_, {.head_size = sizeof(be32)}),
        of_rest_(function, rest_, {.head_size = sizeof(be32)}),
        digests_((whole_ + 1) * piece_),
        heads_((whole_ + 1) * sizeof(be32)) {
    for (std::size_t i = 0; i <= whole_; ++i)
      std::ranges::copy(bytes_of(be32(static_cast<std::uint32_t>(i))),
                        heads_.begin() + i * sizeof(be32));
  }

  void diffuse(MutableByteSpan key) {
    const MutableByteSpan digests = digests_.expose();
    const std::size_t pieces = whole_ * piece_;
    of_pieces_.hash(key.first(pieces), ByteSpan(heads_).first(whole_ * sizeof(be32)),
                    digests.first(pieces));
    if (rest_ != 0)
      of_rest_.hash(key.subspan(pieces), ByteSpan(heads_).last(sizeof(be32)),
                    digests.subspan(pieces, piece_));
    std::ranges::copy(digests.first(key.size()), key.begin());
  }

 private:
  std::size_t piece_, whole_, rest_;
  BlockHasher of_pieces_, of_rest_;
  Secret digests_;
  Bytes heads_;
};

void xor_into(MutableByteSpan out, ByteSpan bytes) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] ^= bytes[i];
}

/// All stripes but the last, mixed.
Secret mix(const HashFunction& function, ByteSpan stripes, std::size_t key_size) {
  Diffuser diffuser(function, key_size);
  Secret mixed(key_size);
  for (; !stripes.empty(); stripes = stripes.subspan(key_size)) {
    xor_into(mixed.expose(), stripes.first(key_size));
    diffuser.diffuse(mixed.expose());
  }
  return mixed;
}

}  // namespace

Result<Secret> af_merge(std::string_view hash, ByteSpan material, std::size_t stripes) {
  const HashFunction function = TRY(find_hash_function(hash));
  if (stripes == 0 || material.empty() || material.size() % stripes != 0)
    return Error(ErrorKind::invalid_argument, "key material that is not whole stripes");
  const std::size_t size = material.size() / stripes;
  Secret key = mix(function, material.first(material.size() - size), size);
  xor_into(key.expose(), material.last(size));
  return key;
}

Result<Secret> af_split(std::string_view hash, const Secret& key, std::size_t stripes) {
  const HashFunction function = TRY(find_hash_function(hash));
  const auto size = checked_multiply(key.size(), stripes);
  if (!size || *size == 0)
    return Error(ErrorKind::invalid_argument, "key material that is not whole stripes");
  Secret material(*size);
  const MutableByteSpan random = material.expose().first(*size - key.size());
  fill_random(random);
  const Secret mixed = mix(function, random, key.size());
  const MutableByteSpan last = material.expose().last(key.size());
  std::ranges::copy(mixed.expose(), last.begin());
  xor_into(last, key.expose());
  return material;
}

}  // namespace intact::crypto
