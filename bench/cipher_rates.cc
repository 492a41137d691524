// cipher_rates SECONDS: what one processor encrypts and decrypts in runs of 128 KiB, by cipher and
// sector size, with IVs that count the sectors, as "NAME-SIZE VALUE" lines in GB/s.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include <intact/base/endian.h>
#include <intact/crypto/random.h>
#include <intact/crypto/sector_aead.h>
#include <intact/crypto/sector_cipher.h>

namespace intact {
namespace {

constexpr std::size_t kRun = 128 << 10;

/// The processor's time, for a machine with other work.
double now() {
  ::timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void print_rate(const std::string& name, double seconds, const std::function<void()>& run) {
  const double start = now();
  double elapsed = 0;
  std::size_t bytes = 0;
  do {
    for (int i = 0; i < 16; ++i) run();
    bytes += 16 * kRun;
    elapsed = now() - start;
  } while (elapsed < seconds);
  std::printf("%s %.3f\n", name.c_str(), static_cast<double>(bytes) / elapsed * 1e-9);
}

/// Little-endian numbers at the start of each of the IVs of a run.
void count(MutableByteSpan ivs, std::size_t size, std::uint64_t first) {
  for (std::size_t i = 0; i < ivs.size() / size; ++i)
    std::ranges::copy(bytes_of(le64(first + i)), ivs.begin() + i * size);
}

void print_rates(const char* name, const char* cipher_name, std::size_t key_size,
                 std::size_t sector_size, double seconds) {
  const std::size_t sectors = kRun / sector_size;
  const auto label = [&](const char* what) {
    return std::string(name) + what + "-" + std::to_string(sector_size);
  };
  const Bytes key = crypto::random_bytes(key_size);
  Bytes bytes = crypto::random_bytes(kRun);
  std::uint64_t number = 0;
  if (const auto cipher = crypto::SectorCipher::create(cipher_name, key)) {
    Bytes ivs(sectors * (*cipher)->iv_size());
    const auto next = [&] { count(ivs, (*cipher)->iv_size(), number += sectors); };
    print_rate(label("-encrypt"), seconds, [&] {
      next();
      (*cipher)->encrypt(ivs, bytes, bytes);
    });
    print_rate(label("-decrypt"), seconds, [&] {
      next();
      (*cipher)->decrypt(ivs, bytes, bytes);
    });
    return;
  }
  const auto cipher = crypto::SectorAead::create(cipher_name, key, {.sector_size = sector_size});
  if (!cipher) std::abort();
  Bytes ivs(sectors * (*cipher)->iv_size()), numbers(sectors * 8), out(kRun);
  Bytes tags(sectors * (*cipher)->tag_size());
  const auto next = [&] {
    count(ivs, (*cipher)->iv_size(), number += sectors);
    count(numbers, 8, number);
  };
  print_rate(label("-encrypt"), seconds, [&] {
    next();
    (*cipher)->encrypt(ivs, numbers, bytes, out, tags);
  });
  print_rate(label("-decrypt"), seconds, [&] {
    // Those of the last run, which decrypt.
    if (!(*cipher)->decrypt(ivs, numbers, out, tags, bytes).empty()) std::abort();
  });
}

}  // namespace
}  // namespace intact

int main(int argc, char** argv) {
  using namespace intact;
  if (argc != 2) return 2;
  const double seconds = std::atof(argv[1]);
  for (const std::size_t size : {std::size_t{512}, std::size_t{4096}}) {
    print_rates("xts", "xts(aes)", 64, size, seconds);
    print_rates("gcm", "gcm(aes)", 32, size, seconds);
    print_rates("hmac", "authenc(hmac(sha256),xts(aes))", 96, size, seconds);
  }
}
