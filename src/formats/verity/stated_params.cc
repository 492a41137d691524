#include <utility>

#include <fmt/format.h>

#include <intact/crypto/hash_function.h>
#include <intact/verity/manage.h>

namespace intact::verity {

Result<Params> StatedParams::params(Bytes default_salt) const {
  Params params;
  params.hash_type =
      static_cast<HashType>(hash_type.value_or(static_cast<std::uint32_t>(params.hash_type)));
  params.hash = hash.value_or(params.hash);
  params.data_block_size = data_block_size.value_or(params.data_block_size);
  params.hash_block_size = hash_block_size.value_or(params.hash_block_size);
  params.data_blocks = data_blocks.value_or(0);
  params.salt = std::move(default_salt);
  TRY(check_block_sizes(params));
  if (salt) {
    auto bytes = *salt == "-" ? Result<Bytes>(Bytes()) : from_hex(*salt);
    if (!bytes)
      return Error(ErrorKind::invalid_argument,
                   fmt::format("--salt: '{}' is not hexadecimal", *salt));
    params.salt = *std::move(bytes);
  }
  return params;
}

Result<void> StatedParams::check(const Params& found, std::string_view hash_device) const {
  const auto differs = [hash_device](const char* option, const auto& given, const auto& says) {
    return Error(ErrorKind::tampered, fmt::format("{}: the superblock says {}, not {} as {} does",
                                                  hash_device, says, given, option));
  };
  const auto type = static_cast<std::uint32_t>(found.hash_type);
  if (data_blocks.value_or(0) != 0 && *data_blocks != found.data_blocks)
    return differs("--data-blocks", *data_blocks, found.data_blocks);
  if (hash_type && *hash_type != type) return differs("--format", *hash_type, type);
  if (data_block_size && *data_block_size != found.data_block_size)
    return differs("--data-block-size", *data_block_size, found.data_block_size);
  if (hash_block_size && *hash_block_size != found.hash_block_size)
    return differs("--hash-block-size", *hash_block_size, found.hash_block_size);
  if (hash && TRY(crypto::find_hash_function(*hash)).name != found.hash)
    return differs("--hash", *hash, found.hash);
  if (salt && TRY(params({})).salt != found.salt)
    return differs("--salt", *salt, found.salt.empty() ? "-" : to_hex(found.salt));
  return {};
}

std::optional<Bytes> parse_root_hash(std::string_view text) {
  auto bytes = from_hex(text);
  if (!bytes || bytes->empty()) return std::nullopt;
  return *std::move(bytes);
}

Result<void> check_root_signature(ByteSpan root, ByteSpan signature,
                                  const std::vector<crypto::Certificate>& certificates) {
  return crypto::verify_pkcs7(signature, as_bytes(to_hex(root)), certificates);
}

Result<Bytes> sign_root(ByteSpan root, const crypto::SigningKey& key,
                        const crypto::Certificate& certificate) {
  return crypto::sign_pkcs7(as_bytes(to_hex(root)), key, certificate);
}

std::vector<std::string> describe_layout(const Layout& layout) {
  const auto geometry = Geometry::create(layout.params);
  const auto area = hash_area_offset(layout);
  if (!geometry || !area) return {};
  std::vector<std::string> lines = {fmt::format(
      "{} data blocks of {} bytes.", geometry->data_blocks(), layout.params.data_block_size)};
  if (layout.superblock) lines.push_back(fmt::format("Superblock at byte {}.", layout.hash_offset));
  lines.push_back(fmt::format("{} hash blocks of {} bytes, in {} levels, from byte {}.",
                              geometry->hash_blocks(), layout.params.hash_block_size,
                              geometry->levels().size(), *area));
  if (layout.fec)
    lines.push_back(fmt::format("Parity from byte {}, {} bytes for each codeword.",
                                layout.fec->offset, layout.fec->roots));
  return lines;
}

}  // namespace intact::verity
