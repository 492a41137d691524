#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include <intact/crypto/random.h>
#include <intact/verity/superblock.h>

namespace intact::verity {
namespace {

constexpr std::array<char, 8> kSignature = {'v', 'e', 'r', 'i', 't', 'y', 0, 0};
constexpr std::size_t kDashes[] = {4, 6, 8, 10};  // bytes before each

Error malformed(std::string what) {
  return Error(ErrorKind::malformed, "dm-verity superblock: " + std::move(what));
}

}  // namespace

Uuid Uuid::random() {
  Uuid uuid;
  crypto::fill_random(uuid.bytes_);
  uuid.bytes_[6] = (uuid.bytes_[6] & std::byte{0x0f}) | std::byte{0x40};
  uuid.bytes_[8] = (uuid.bytes_[8] & std::byte{0x3f}) | std::byte{0x80};
  return uuid;
}

Result<Uuid> Uuid::parse(std::string_view text) {
  const Error wrong(ErrorKind::invalid_argument,
                    fmt::format("'{}' is not a UUID (8-4-4-4-12 hexadecimal digits)", text));
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != (text[i] == '-')) return Error(wrong);
    if (!dash) digits += text[i];
  }
  const auto bytes = from_hex(digits);
  Uuid uuid;
  if (!bytes || bytes->size() != uuid.bytes_.size()) return Error(wrong);
  std::ranges::copy(*bytes, uuid.bytes_.begin());
  return uuid;
}

std::string Uuid::to_string() const {
  std::string text;
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    if (std::ranges::find(kDashes, i) != std::end(kDashes)) text += '-';
    text += to_hex(ByteSpan(bytes_).subspan(i, 1));
  }
  return text;
}

Result<Superblock> parse_superblock(const RawSuperblock& raw) {
  if (raw.signature != kSignature)
    return Error(
        ErrorKind::malformed,
        "not a dm-verity hash device, or --hash-offset is wrong (no superblock signature)");
  if (raw.version.get() != 1)
    return Error(
        ErrorKind::unsupported,
        fmt::format("dm-verity superblock: version {} is not supported", raw.version.get()));
  Superblock superblock;
  Params& params = superblock.params;
  params.hash_type = static_cast<HashType>(raw.hash_type.get());
  const auto end = std::ranges::find(raw.algorithm, '\0');
  if (end == raw.algorithm.end()) return malformed("the hash name is not terminated");
  params.hash.assign(raw.algorithm.begin(), end);
  params.data_block_size = raw.data_block_size.get();
  params.hash_block_size = raw.hash_block_size.get();
  params.data_blocks = raw.data_blocks.get();
  if (raw.salt_size.get() > kMaxSaltSize)
    return malformed(fmt::format("a salt of {} bytes is too long", raw.salt_size.get()));
  params.salt.assign(raw.salt.begin(), raw.salt.begin() + raw.salt_size.get());
  superblock.uuid = Uuid(raw.uuid);
  if (auto checked = check_params(params); !checked) {
    const Error& error = checked.error();
    return Error(error.kind() == ErrorKind::invalid_argument ? ErrorKind::malformed : error.kind(),
                 "dm-verity superblock: " + error.message());
  }
  return superblock;
}

RawSuperblock encode(const Superblock& superblock) {
  const Params& params = superblock.params;
  RawSuperblock raw{};
  raw.signature = kSignature;
  raw.version = 1;
  raw.hash_type = static_cast<std::uint32_t>(params.hash_type);
  raw.uuid = superblock.uuid.bytes();
  std::ranges::copy(params.hash, raw.algorithm.begin());
  raw.data_block_size = params.data_block_size;
  raw.hash_block_size = params.hash_block_size;
  raw.data_blocks = params.data_blocks;
  raw.salt_size = static_cast<std::uint16_t>(params.salt.size());
  std::ranges::copy(params.salt, raw.salt.begin());
  return raw;
}

}  // namespace intact::verity
