#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include <intact/base/result.h>

namespace intact::crypto {

/// A cryptographic hash without key as the kernel's crypto API names it: what dm-verity and
/// dm-integrity let a user choose.
struct HashFunction {
  std::string_view name;        ///< the kernel's: "sha256", "blake2b-512"
  const char* openssl;          ///< what BlockHasher::create takes
  std::size_t digest_size = 0;  ///< bytes
};

/// unsupported for names that are unknown or that this machine's OpenSSL does not offer, for
/// checksums and for keyed hashes. Upper case is taken as lower case.
Result<HashFunction> find_hash_function(std::string_view name);

/// All that can be found, the usual ones first.
const std::vector<HashFunction>& hash_functions();

}  // namespace intact::crypto
