#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include <intact/base/bytes.h>
#include <intact/base/endian.h>
#include <intact/base/result.h>
#include <intact/verity/params.h>

namespace intact::verity {

/// The superblock as stored at `hash_offset` of the hash device (cryptsetup's on-disk format,
/// version 1). Little-endian. The kernel never reads it and no hash covers it.
struct RawSuperblock {
  std::array<char, 8> signature;            ///< "verity\0\0"
  le32 version;                             ///< 1
  le32 hash_type;                           ///< 0 Chrome OS, 1 normal
  std::array<std::byte, 16> uuid;           ///< raw bytes, in textual order
  std::array<char, 32> algorithm;           ///< hash name in lower case, zero-padded
  le32 data_block_size;                     ///< bytes
  le32 hash_block_size;                     ///< bytes
  le64 data_blocks;                         ///< blocks of data_block_size
  le16 salt_size;                           ///< bytes of `salt` in use, 0 to 256
  std::array<std::byte, 6> reserved_82;     ///< zero
  std::array<std::byte, 256> salt;          ///< zero-padded
  std::array<std::byte, 168> reserved_344;  ///< zero
};
static_assert(sizeof(RawSuperblock) == 512 && alignof(RawSuperblock) == 1);
static_assert(offsetof(RawSuperblock, uuid) == 16);
static_assert(offsetof(RawSuperblock, algorithm) == 32);
static_assert(offsetof(RawSuperblock, data_block_size) == 64);
static_assert(offsetof(RawSuperblock, data_blocks) == 72);
static_assert(offsetof(RawSuperblock, salt_size) == 80);
static_assert(offsetof(RawSuperblock, salt) == 88);

constexpr std::size_t kSuperblockSize = sizeof(RawSuperblock);

/// 16 bytes, written 8-4-4-4-12.
class Uuid {
 public:
  Uuid() = default;  ///< all zero
  explicit Uuid(const std::array<std::byte, 16>& bytes) : bytes_(bytes) {}
  static Uuid random();                              ///< version 4
  static Result<Uuid> parse(std::string_view text);  ///< invalid_argument unless of the form
  std::string to_string() const;                     ///< lower case
  const std::array<std::byte, 16>& bytes() const { return bytes_; }
  bool operator==(const Uuid&) const = default;

 private:
  std::array<std::byte, 16> bytes_{};
};

/// A checked superblock.
struct Superblock {
  Params params;
  Uuid uuid;

  bool operator==(const Superblock&) const = default;
};

/// malformed: no signature, or impossible numbers. unsupported: another version or hash.
Result<Superblock> parse_superblock(const RawSuperblock& raw);

/// The params must have been checked.
RawSuperblock encode(const Superblock& superblock);

}  // namespace intact::verity
