#include "signatures.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/base/endian.h>

namespace intact::stack {
namespace {

/// A number at byte `at` of the header; zero beyond its end.
template <typename Field>
std::uint64_t number(ByteSpan header, std::size_t at) {
  const auto field = load<Field>(header, at);
  return field ? field->get() : 0;
}

/// Text that ends with a zero byte or after `size` bytes; what is not printable is left out.
std::string text(ByteSpan header, std::size_t at, std::size_t size) {
  std::string out;
  for (std::size_t i = at; i < std::min(header.size(), at + size); ++i) {
    const auto c = std::to_integer<char>(header[i]);
    if (c == '\0') break;
    if (c >= ' ' && c < 0x7f) out += c;
  }
  return out;
}

/// "size" if the number of bytes is one.
void add_size(Json& facts, std::uint64_t blocks, std::uint64_t block_size) {
  if (const auto size = checked_multiply(blocks, block_size)) facts["size"] = *size;
}

std::uint64_t shifted(std::uint64_t unit, std::uint64_t bits) {
  return bits < 32 ? unit << bits : 0;
}

// Each takes the header whose magic number was found and gives what stands in it.

Json luks1(ByteSpan h) {
  return {{"version", number<be16>(h, 6)},
          {"cipher", text(h, 8, 32) + "-" + text(h, 40, 32)},
          {"hash", text(h, 72, 32)},
          {"payload_offset", number<be32>(h, 104) * 512},
          {"uuid", text(h, 168, 40)}};
}

Json luks2(ByteSpan h) {
  return {{"version", number<be16>(h, 6)},
          {"header_size", number<be64>(h, 8)},
          {"label", text(h, 24, 48)},
          {"uuid", text(h, 168, 40)}};
}

Json qcow2(ByteSpan h) {
  Json facts = {{"version", number<be32>(h, 4)}, {"virtual_size", number<be64>(h, 24)}};
  const std::uint64_t method = number<be32>(h, 32);
  if (method != 0) facts["encryption"] = method == 1 ? "aes" : method == 2 ? "luks" : "unknown";
  if (number<be64>(h, 8) != 0)
    facts["backing_file"] = text(h, number<be64>(h, 8), number<be32>(h, 16));
  return facts;
}

constexpr std::size_t kErofs = 1024;
Json erofs(ByteSpan h) {
  const std::uint64_t block_size = shifted(1, std::to_integer<unsigned>(h[kErofs + 12]));
  Json facts = {{"block_size", block_size}, {"volume_name", text(h, kErofs + 64, 16)}};
  add_size(facts, number<le32>(h, kErofs + 36), block_size);
  return facts;
}

Json squashfs(ByteSpan h) {
  return {{"version", fmt::format("{}.{}", number<le16>(h, 28), number<le16>(h, 30))},
          {"block_size", number<le32>(h, 12)},
          {"size", number<le64>(h, 40)}};
}

constexpr std::size_t kExt4 = 1024;
Json ext4(ByteSpan h) {
  const std::uint64_t block_size = shifted(1024, number<le32>(h, kExt4 + 24));
  Json facts = {{"block_size", block_size}, {"volume_name", text(h, kExt4 + 120, 16)}};
  // The upper half of the number is there with the feature "64bit".
  const bool is_64bit = (number<le32>(h, kExt4 + 96) & 0x80) != 0;
  const std::uint64_t high = is_64bit ? number<le32>(h, kExt4 + 336) << 32 : 0;
  add_size(facts, number<le32>(h, kExt4 + 4) | high, block_size);
  return facts;
}

Json xfs(ByteSpan h) {
  Json facts = {{"block_size", number<be32>(h, 4)}};
  add_size(facts, number<be64>(h, 8), number<be32>(h, 4));
  return facts;
}

constexpr std::size_t kBtrfs = 65536;
Json btrfs(ByteSpan h) {
  return {{"size", number<le64>(h, kBtrfs + 112)}};
}

Json none(ByteSpan) {
  return Json::object();
}

struct Known {
  const char* format;
  const char* title;
  std::size_t magic_at;
  std::string_view magic;
  std::size_t header_at;
  std::size_t header_size;  // up to its last fact
  Json (*facts)(ByteSpan begin);
  const char* refusal = nullptr;
};

constexpr const char* kConvert = "is not supported; convert it to a raw image";
constexpr const char* kUnpack = "is not a disk image; unpack it first";

using namespace std::string_view_literals;

/// What is more particular comes first.
constexpr Known kSignatures[] = {
    {"luks1", "LUKS1", 0, "LUKS\xba\xbe\0\1"sv, 0, 208, luks1, kConvert},
    {"luks2", "LUKS2", 0, "LUKS\xba\xbe\0\2"sv, 0, 208, luks2, kConvert},
    {"qcow2", "qcow2", 0, "QFI\xfb"sv, 0, 36, qcow2, kConvert},
    {"squashfs", "squashfs", 0, "hsqs"sv, 0, 48, squashfs},
    {"xfs", "XFS", 0, "XFSB"sv, 0, 16, xfs},
    {"gzip", "gzip", 0, "\x1f\x8b\x08"sv, 0, 3, none, kUnpack},
    {"xz", "xz", 0,
     "\xfd"
     "7zXZ\0"sv,
     0, 6, none, kUnpack},
    {"zstd", "zstd", 0, "\x28\xb5\x2f\xfd"sv, 0, 4, none, kUnpack},
    {"bzip2", "bzip2", 0, "BZh"sv, 0, 3, none, kUnpack},
    {"zip", "zip", 0, "PK\3\4"sv, 0, 4, none, kUnpack},
    {"tar", "tar", 257, "ustar"sv, 0, 512, none, kUnpack},
    {"erofs", "EROFS", kErofs, "\xe2\xe1\xf5\xe0"sv, kErofs, 80, erofs},
    {"ext4", "ext2/3/4", kExt4 + 56, "\x53\xef"sv, kExt4, 340, ext4},
    {"gpt", "GPT", 512, "EFI PART"sv, 512, 8, none},
    {"iso9660", "ISO 9660", 32769, "CD001"sv, 32769, 5, none},
    {"btrfs", "btrfs", kBtrfs + 64, "_BHRfS_M"sv, kBtrfs, 120, btrfs},
};

}  // namespace

std::optional<Signature> find_signature(ByteSpan begin) {
  for (const Known& known : kSignatures) {
    if (begin.size() < known.header_at + known.header_size ||
        begin.size() < known.magic_at + known.magic.size() ||
        !equal(begin.subspan(known.magic_at, known.magic.size()), as_bytes(known.magic)))
      continue;
    return Signature{.content = {.format = known.format,
                                 .title = known.title,
                                 .offset = known.header_at,
                                 .facts = known.facts(begin)},
                     .refusal = known.refusal};
  }
  return std::nullopt;
}

std::optional<std::uint64_t> file_system_size(ByteSpan begin) {
  const auto found = find_signature(begin);
  if (!found || !found->content.facts.contains("size")) return std::nullopt;
  return found->content.facts["size"].get<std::uint64_t>();
}

}  // namespace intact::stack
