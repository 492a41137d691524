#include <algorithm>
#include <bit>

#include <intact/crypto/hash.h>
#include <intact/fsverity/params.h>

namespace intact::fsverity {

RawDescriptor make_descriptor(const Params& params, std::uint64_t data_size, ByteSpan root) {
  RawDescriptor raw;
  raw.hash_algorithm = static_cast<std::uint8_t>(params.algorithm);
  raw.log_block_size = static_cast<std::uint8_t>(std::countr_zero(params.block_size));
  raw.salt_size = static_cast<std::uint8_t>(params.salt.size());
  raw.data_size = data_size;
  std::copy(root.begin(), root.end(), raw.root.begin());
  std::copy(params.salt.begin(), params.salt.end(), raw.salt.begin());
  return raw;
}

Digest hash_descriptor(const RawDescriptor& descriptor, HashAlgorithm algorithm) {
  return crypto::hash(algorithm, bytes_of(descriptor));
}

Bytes format_for_builtin_signature(const Digest& digest) {
  struct {
    std::array<char, 8> magic{'F', 'S', 'V', 'e', 'r', 'i', 't', 'y'};
    le16 algorithm;
    le16 size;
  } header;
  static_assert(sizeof header == 12);
  header.algorithm = static_cast<std::uint8_t>(digest.algorithm());
  header.size = static_cast<std::uint16_t>(digest.bytes().size());
  const ByteSpan raw = bytes_of(header);
  Bytes formatted(raw.size() + digest.bytes().size());
  std::ranges::copy(digest.bytes(), std::ranges::copy(raw, formatted.begin()).out);
  return formatted;
}

}  // namespace intact::fsverity
