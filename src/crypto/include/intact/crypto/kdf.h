#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/secret.h>

namespace intact::crypto {

// Keys out of passwords. All functions are thread-safe and wipe what they computed with. What they
// cost is chosen by their parameters, so callers pass only parameters that they chose or that they
// have limited, never any that a file asks for.

/// Costs of scrypt (RFC 7914). The memory used is 128 * n * r bytes.
struct ScryptParams {
  std::uint64_t n = 0;  ///< iterations, a power of two
  std::uint32_t r = 0;  ///< block size in units of 128 bytes
  std::uint32_t p = 0;  ///< parallelisation
  bool operator==(const ScryptParams&) const = default;
};

/// `size` bytes derived from a password. invalid_argument for parameters that scrypt does not have.
Result<Secret> scrypt(const Secret& password, ByteSpan salt, const ScryptParams& params,
                      std::size_t size);

/// PBKDF2 (RFC 8018) with HMAC of `hash`, a name that find_hash_function() knows: all that LUKS
/// uses. unsupported for an unknown hash; invalid_argument for no iterations or no bytes.
Result<Secret> pbkdf2(std::string_view hash, const Secret& password, ByteSpan salt,
                      std::uint64_t iterations, std::size_t size);

enum class Argon2Type { argon2i, argon2id };
std::string_view to_string(Argon2Type type);

/// Costs of Argon2 (RFC 9106), version 0x13, without secret and associated data.
struct Argon2Params {
  Argon2Type type = Argon2Type::argon2id;
  std::uint32_t time = 0;    ///< passes over the memory, at least 1
  std::uint32_t memory = 0;  ///< KiB, at least 8 for each lane
  std::uint32_t lanes = 1;   ///< changes the result; also how many threads may compute it
  bool operator==(const Argon2Params&) const = default;
};

/// `size` bytes derived from a password, at least 4; the salt has at least 8 bytes. Computed by
/// `lanes` threads, or by this one if there may be no more: the result is the same.
/// invalid_argument for parameters that Argon2 does not have; io if there is not enough memory.
Result<Secret> argon2(const Secret& password, ByteSpan salt, const Argon2Params& params,
                      std::size_t size);

// How much work a key derivation may be here to take about a given time. Each function measures
// this machine, for about as long as the time that it is asked for, and at least a few
// milliseconds. Thread-safe, but other threads distort what is measured.

inline constexpr std::uint32_t kMinPbkdf2Iterations = 1000;
inline constexpr std::uint32_t kMinArgon2Time = 4;
inline constexpr std::uint32_t kMinArgon2Memory = 32;  // KiB

/// Iterations of PBKDF2 for `size` bytes that take this thread `target`, at least
/// kMinPbkdf2Iterations. unsupported for an unknown hash.
Result<std::uint32_t> pbkdf2_iterations(std::string_view hash, std::size_t size,
                                        std::chrono::milliseconds target);

struct Argon2Limits {
  std::uint32_t memory = 1 << 20;  ///< KiB, at most
  std::uint32_t lanes = 4;
};
/// 1 GiB but at most half of this machine's memory; a lane for each processor, at most 4.
Argon2Limits usual_argon2_limits();

/// Costs of Argon2 that take `target`: as much memory as the limits allow in kMinArgon2Time
/// passes, then more passes. Never below the minima above. io if the memory is not available.
Result<Argon2Params> argon2_costs(Argon2Type type, const Argon2Limits& limits,
                                  std::chrono::milliseconds target);

/// One step of that search: what should take `target` if `measured` took `elapsed`.
Argon2Params scaled_argon2_costs(const Argon2Params& measured, const Argon2Limits& limits,
                                 std::chrono::nanoseconds elapsed,
                                 std::chrono::milliseconds target);

}  // namespace intact::crypto
