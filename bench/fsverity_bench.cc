// Hashing for fs-verity digests and verified random reads, for one core.
#include <cstdlib>
#include <random>

#include <benchmark/benchmark.h>
#include <sys/mman.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/stream.h>
#include <intact/fsverity/tree.h>
#include <intact/fsverity/verified_file.h>

namespace intact {
namespace {

void digest_in_memory(benchmark::State& state) {
  const Bytes content(static_cast<std::size_t>(state.range(0)), std::byte{'x'});
  for (auto _ : state) benchmark::DoNotOptimize(fsverity::digest_of(content));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(digest_in_memory)->Arg(4096)->Arg(65536)->Arg(8 << 20);

void verified_reads(benchmark::State& state) {
  constexpr std::uint64_t kSize = 64 << 20;
  const auto length = static_cast<std::size_t>(state.range(0));
  UniqueFd fd(::memfd_create("bench", MFD_CLOEXEC));
  if (!fd || !write_all(fd.get(), Bytes(kSize, std::byte{'x'}))) std::abort();
  auto tree = fsverity::build_tree(fd.get()).value();
  const auto file = fsverity::VerifiedFile::open(std::move(fd), kSize, tree.digest,
                                                 std::make_shared<MemorySource>(tree.blocks))
                        .value();
  Bytes out(length);
  std::mt19937_64 random(1);
  for (auto _ : state) {
    const std::uint64_t offset = random() % (kSize / length) * length;
    if (!file->read(offset, out)) std::abort();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(verified_reads)->Arg(4096)->Arg(131072);

}  // namespace
}  // namespace intact
