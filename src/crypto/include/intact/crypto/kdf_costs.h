#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <intact/base/result.h>
#include <intact/crypto/kdf.h>

namespace intact::crypto {

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
