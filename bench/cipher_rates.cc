// cipher_rates SECONDS: what one processor encrypts and decrypts as dm-crypt does, in runs of
// 128 KiB, by cipher and sector size, as "NAME-SIZE VALUE" lines in GB/s.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include <intact/crypt/sector_crypt.h>
#include <intact/crypto/random.h>

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

void print_rates(const std::string& name, const char* spec, std::size_t key_size,
                 std::uint32_t sector_size, std::uint32_t tag_size, double seconds) {
  const crypt::SectorParams params{.spec = crypt::CipherSpec::parse(spec).value(),
                                   .sector_size = sector_size,
                                   .record_size = tag_size,
                                   .is_aead = tag_size != 0};
  const auto crypt = crypt::SectorCrypt::create(params, crypto::random_bytes(key_size)).value();
  const Bytes plain = crypto::random_bytes(kRun);
  Bytes encrypted(kRun), out(kRun), tags(kRun / sector_size * tag_size);
  const std::string size = "-" + std::to_string(sector_size);
  print_rate(name + "-encrypt" + size, seconds,
             [&] { crypt->encrypt(1 << 20, plain, encrypted, tags); });
  print_rate(name + "-decrypt" + size, seconds, [&] {
    if (!crypt->decrypt(1 << 20, encrypted, tags, out).empty()) std::abort();
  });
}

}  // namespace
}  // namespace intact

int main(int argc, char** argv) {
  using namespace intact;
  if (argc != 2) return 2;
  const double seconds = std::atof(argv[1]);
  for (const std::uint32_t size : {512U, 4096U}) {
    print_rates("xts", "aes-xts-plain64", 64, size, 0, seconds);
    print_rates("gcm", "capi:gcm(aes)-plain64", 32, size, 16, seconds);
    print_rates("hmac", "capi:authenc(hmac(sha256),xts(aes))-plain64", 96, size, 32, seconds);
  }
}
