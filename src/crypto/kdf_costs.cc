#include <algorithm>
#include <array>
#include <limits>

#include <sys/resource.h>
#include <unistd.h>

#include <intact/base/worker_pool.h>
#include <intact/crypto/kdf.h>

namespace intact::crypto {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

/// Time of a processor that this thread has used: what other programs use does not count.
nanoseconds thread_time() {
  ::timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

constexpr std::array<std::byte, 32> kSalt{};

std::uint64_t scaled(std::uint64_t value, nanoseconds elapsed, nanoseconds target) {
  const double factor = static_cast<double>(target.count()) /
                        static_cast<double>(std::max<nanoseconds::rep>(elapsed.count(), 1));
  // Above what any caller can use, and far below where a double has no such integer.
  return static_cast<std::uint64_t>(std::min(static_cast<double>(value) * factor, 0x1p60));
}

}  // namespace

Result<std::uint32_t> pbkdf2_iterations(std::string_view hash, std::size_t size,
                                        milliseconds target) {
  const Secret password = Secret::copy_of(as_bytes("password"));
  // Long enough that starting does not count, and that a slow moment does not count for much.
  const nanoseconds enough =
      std::clamp<nanoseconds>(target / 4, milliseconds(2), milliseconds(250));
  std::uint64_t iterations = kMinPbkdf2Iterations;
  for (;;) {
    const nanoseconds start = thread_time();
    TRY(pbkdf2(hash, password, kSalt, iterations, size));
    const nanoseconds elapsed = thread_time() - start;
    if (elapsed < enough) {
      iterations = std::clamp<std::uint64_t>(scaled(iterations, elapsed, enough * 5 / 4),
                                             iterations * 2, iterations * 64);
      continue;
    }
    constexpr std::uint64_t kMax = std::numeric_limits<std::uint32_t>::max();
    return static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(scaled(iterations, elapsed, target), kMinPbkdf2Iterations, kMax));
  }
}

Argon2Limits usual_argon2_limits() {
  Argon2Limits limits;
  const long pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) {
    const auto half = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page) / 2048;
    limits.memory = static_cast<std::uint32_t>(std::min<std::uint64_t>(limits.memory, half));
  }
  limits.lanes = std::min(limits.lanes, available_processors());
  return limits;
}

Argon2Params scaled_argon2_costs(const Argon2Params& measured, const Argon2Limits& limits,
                                 nanoseconds elapsed, milliseconds target) {
  Argon2Params params = measured;
  const std::uint64_t work =
      scaled(std::uint64_t{measured.time} * measured.memory, elapsed, target);
  const std::uint32_t least = std::max(kMinArgon2Memory, 8 * params.lanes);
  params.memory = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(work / kMinArgon2Time, least, std::max(limits.memory, least)));
  params.time = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(
      work / params.memory, kMinArgon2Time, std::numeric_limits<std::uint32_t>::max()));
  return params;
}

Result<Argon2Params> argon2_costs(Argon2Type type, const Argon2Limits& limits,
                                  milliseconds target) {
  const Secret password = Secret::copy_of(as_bytes("password"));
  Argon2Params params{.type = type, .time = kMinArgon2Time, .lanes = std::max(limits.lanes, 1U)};
  const std::uint32_t least = std::max(kMinArgon2Memory, 8 * params.lanes);
  params.memory = std::max(least, std::min<std::uint32_t>(limits.memory, 4096));
  // Larger memory is slower for its size, as caches hold less of it: so the first guesses from
  // little memory are checked where they are still far from the target.
  for (int round = 0; round < 4; ++round) {
    const auto start = std::chrono::steady_clock::now();
    TRY(argon2(password, kSalt, params, 32));
    const nanoseconds elapsed = std::chrono::steady_clock::now() - start;
    params = scaled_argon2_costs(params, limits, elapsed, target);
    if (elapsed >= target * 9 / 10) break;
    // From caches to memory in two steps, or one measurement would take many times the target.
    if (round == 0 && elapsed * 16 < target)
      params = scaled_argon2_costs(params, limits, target, target / 4);
  }
  return params;
}

}  // namespace intact::crypto
