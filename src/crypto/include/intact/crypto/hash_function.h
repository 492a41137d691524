#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

namespace intact::crypto {

/// Who computes a hash.
enum class HashLibrary { openssl, libgcrypt };

/// A cryptographic hash without key as the kernel's crypto API names it: what dm-verity and
/// dm-integrity let a user choose. Those with another name in cryptsetup ("whirlpool" is the
/// kernel's "wp512") have both names, since the name is stored on the disk.
struct HashFunction {
  std::string_view name;  ///< "sha256", "blake2b-512"
  HashLibrary library;
  const char* library_name;     ///< what the library calls it
  std::size_t input_block = 0;  ///< bytes that it takes at a time: what HMAC pads keys to
  std::size_t digest_size = 0;  ///< bytes
};

/// unsupported: unknown names, functions that this machine's libraries lack, checksums and keyed
/// hashes. Upper case is read as lower case.
Result<HashFunction> find_hash_function(std::string_view name);

/// All that can be found, the usual ones first.
const std::vector<HashFunction>& hash_functions();

/// The state of MD5 after `parts`, which together have a multiple of 64 bytes: without the padding
/// and the length that make it a digest. loop-AES derives IVs so.
std::array<std::byte, 16> md5_state(std::initializer_list<ByteSpan> parts);

}  // namespace intact::crypto
