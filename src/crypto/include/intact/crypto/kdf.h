#pragma once

#include <cstdint>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/secret.h>

namespace intact::crypto {

/// Costs of scrypt (RFC 7914). The memory used is 128 * n * r bytes: callers take only parameters
/// that they chose or checked, never any that a file asks for.
struct ScryptParams {
  std::uint64_t n = 0;  ///< iterations, a power of two
  std::uint32_t r = 0;  ///< block size in units of 128 bytes
  std::uint32_t p = 0;  ///< parallelisation
  bool operator==(const ScryptParams&) const = default;
};

/// `size` bytes derived from a password. invalid_argument for parameters scrypt does not have.
Result<Secret> scrypt(const Secret& password, ByteSpan salt, const ScryptParams& params,
                      std::size_t size);

}  // namespace intact::crypto
