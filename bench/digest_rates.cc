// digest_rates FILE: what its fs-verity digest is made of, each alone, on all processors: hashing
// with each engine (blocks of 4 KiB in memory, one processor and all) and reading the file out of
// the page cache. Prints lines "NAME GB/s", medians of five.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <time.h>

#include <intact/base/file.h>
#include <intact/base/worker_pool.h>
#include <intact/crypto/block_hasher.h>

namespace intact {
namespace {

constexpr std::size_t kPiece = 128 << 10;   // as the digest reads and hashes it
constexpr std::size_t kHashed = 256 << 20;  // by each thread

std::chrono::nanoseconds thread_time() {
  timespec now;
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

/// `work` is done by each of `threads` threads; together they handle `bytes`.
void print_rate(const std::string& name, unsigned threads, double bytes,
                const std::function<void()>& work) {
  std::vector<double> rates;
  for (int run = 0; run < 5; ++run) {
    const auto start = std::chrono::steady_clock::now();
    const std::chrono::nanoseconds used = thread_time();
    std::vector<std::jthread> others;
    for (unsigned i = 1; i < threads; ++i) others.emplace_back(work);
    work();
    others.clear();
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (threads == 1) took = thread_time() - used;
    rates.push_back(bytes / took.count() * 1e-9);
  }
  std::ranges::sort(rates);
  fmt::print("{} {:.3f}\n", name, rates[rates.size() / 2]);
}

void print_hashing(HashAlgorithm algorithm, std::optional<crypto::HashEngine> engine) {
  const crypto::BlockHasher hasher(algorithm, 4096, {}, engine);
  const auto work = [&] {
    const Bytes blocks(kPiece, std::byte{'x'});
    Bytes digests(blocks.size() / hasher.block_size() * hasher.digest_size());
    for (std::size_t done = 0; done < kHashed; done += kPiece) hasher.hash(blocks, digests);
  };
  const std::string name =
      fmt::format("{}-{}", to_string(algorithm), engine ? to_string(*engine) : "fastest");
  const unsigned all = available_processors();
  print_rate(name + "-one", 1, double{kHashed}, work);
  print_rate(name + "-all", all, double{kHashed} * all, work);
}

void print_reading(const char* path) {
  const UniqueFd fd = open_file(path, O_RDONLY).value();
  const std::uint64_t size = file_size(fd.get()).value();
  const auto print = [&](const char* name, unsigned threads) {
    std::atomic<std::uint64_t> started = 0;
    // Each thread its share.
    print_rate(name, threads, static_cast<double>(size), [&] {
      Bytes buffer(kPiece);
      const std::uint64_t share = size / threads, first = started++ % threads * share;
      for (std::uint64_t at = first; at < first + share; at += kPiece)
        if (!pread_up_to(fd.get(), at, buffer)) std::abort();
    });
  };
  print("read-one", 1);
  print("read-all", available_processors());
}

}  // namespace
}  // namespace intact

int main(int argc, char** argv) {
  using namespace intact;
  if (argc != 2) return 2;
  for (const auto algorithm : {HashAlgorithm::sha256, HashAlgorithm::sha512}) {
    for (const auto engine : crypto::available_engines(algorithm)) print_hashing(algorithm, engine);
    print_hashing(algorithm, {});
  }
  print_reading(argv[1]);
}
