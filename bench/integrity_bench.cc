// dm-integrity devices beside the file below them, without a front end: reads in order and here and
// there, writes in order, by hash and block size. The file is in memory; for the writes to_disk it
// is behind a model of a disk, which is what they wait for: 200 MB/s, and 1 ms for each flush.
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include <benchmark/benchmark.h>
#include <sys/mman.h>
#include <unistd.h>

#include <intact/block/file_device.h>
#include <intact/integrity/integrity_target.h>

namespace intact {
namespace {

constexpr std::uint64_t kSize = 64 << 20;  // bytes of data

/// Accepts writes at the speed of memory and transfers them to the disk in order, starting when
/// they arrive. A flush waits until all of them are transferred.
class ModelDisk final : public block::Device {
 public:
  explicit ModelDisk(std::shared_ptr<block::Device> memory) : memory_(std::move(memory)) {}
  std::uint64_t size() const override { return memory_->size(); }
  block::Limits limits() const override { return memory_->limits(); }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    return memory_->read(offset, out);
  }
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override {
    add(kByteTime * bytes.size());
    return memory_->write(offset, bytes);
  }
  Result<void> flush() override {
    std::this_thread::sleep_until(add(kFlushTime));
    return {};
  }
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override {
    return memory_->discard(offset, length);
  }
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override {
    return memory_->zero(offset, length);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::nanoseconds kByteTime{5};
  static constexpr std::chrono::milliseconds kFlushTime{1};

  /// Returns when it will be done.
  Clock::time_point add(std::chrono::nanoseconds work) {
    const std::lock_guard lock(mutex_);
    busy_until_ = std::max(busy_until_, Clock::now()) + work;
    return busy_until_;
  }

  std::shared_ptr<block::Device> memory_;
  std::mutex mutex_;
  Clock::time_point busy_until_{};
};

std::shared_ptr<block::Device> make_file(std::uint64_t size, bool disk = false) {
  UniqueFd fd(::memfd_create("bench", MFD_CLOEXEC));
  if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) std::abort();
  std::shared_ptr<block::Device> file =
      block::FileDevice::create(std::move(fd), block::Access::read_write).value();
  return disk ? std::make_shared<ModelDisk>(std::move(file)) : file;
}

void fill(block::Device& target) {
  Bytes bytes(1 << 20);
  std::mt19937_64 random(1);
  for (std::uint64_t offset = 0; offset < kSize; offset += bytes.size()) {
    for (std::size_t i = 0; i < bytes.size(); i += 64) bytes[i] = static_cast<std::byte>(random());
    if (!target.write(offset, bytes)) std::abort();
  }
  if (!target.flush()) std::abort();
}

std::shared_ptr<block::Device> make_device(const std::string& hash, std::uint32_t block_size,
                                           integrity::Mode mode, bool disk) {
  integrity::Params params{.mode = mode, .block_size = block_size};
  params.fix_padding = params.fix_hmac = true;
  params.journal_sectors = (32 << 20) / 512;  // some flushes' worth, as on a device of usual size
  params.internal_hash = {.name = hash};
  const integrity::Devices devices{.data = make_file(2 * kSize, disk)};
  return integrity::IntegrityTarget::open(params, devices,
                                          {.format_zeroed = true, .check_key = false})
      .value();
}

/// `hash` empty: the file as it is.
std::shared_ptr<block::Device> make(const std::string& hash, std::uint32_t block_size,
                                    integrity::Mode mode, bool disk = false) {
  auto target = hash.empty() ? make_file(kSize, disk) : make_device(hash, block_size, mode, disk);
  fill(*target);
  return target;
}

void reads(benchmark::State& state, const std::string& hash, bool in_order) {
  const auto length = static_cast<std::size_t>(state.range(0));
  const auto target =
      make(hash, static_cast<std::uint32_t>(state.range(1)), integrity::Mode::direct);
  Bytes out(length);
  std::mt19937_64 random(1);
  std::uint64_t next = 0;
  for (auto _ : state) {
    const std::uint64_t place = in_order ? next++ : random();
    if (!target->read(place % (kSize / length) * length, out)) std::abort();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void reads_in_order(benchmark::State& state, const std::string& hash) {
  reads(state, hash, true);
}
void random_reads(benchmark::State& state, const std::string& hash) {
  reads(state, hash, false);
}

/// Flushed every 16 MiB.
void writes(benchmark::State& state, const std::string& hash, integrity::Mode mode, bool disk) {
  const auto length = static_cast<std::size_t>(state.range(0));
  const auto target = make(hash, static_cast<std::uint32_t>(state.range(1)), mode, disk);
  const Bytes bytes(length, std::byte{'x'});
  std::uint64_t offset = 0;
  for (auto _ : state) {
    if (!target->write(offset % kSize, bytes)) std::abort();
    offset += length;
    if (offset % (16 << 20) == 0 && !target->flush()) std::abort();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
void writes_in_order(benchmark::State& state, const std::string& hash, integrity::Mode mode) {
  writes(state, hash, mode, false);
}
void writes_to_disk(benchmark::State& state, const std::string& hash, integrity::Mode mode) {
  writes(state, hash, mode, true);
}

constexpr long kMiB = 1 << 20;

BENCHMARK_CAPTURE(reads_in_order, raw, "")->Args({kMiB, 512});
BENCHMARK_CAPTURE(reads_in_order, crc32c, "crc32c")->Args({kMiB, 512})->Args({kMiB, 4096});
BENCHMARK_CAPTURE(reads_in_order, sha256, "sha256")->Args({kMiB, 512})->Args({kMiB, 4096});
BENCHMARK_CAPTURE(random_reads, raw, "")->Args({4096, 512});
BENCHMARK_CAPTURE(random_reads, crc32c, "crc32c")->Args({4096, 512})->Args({4096, 4096});
BENCHMARK_CAPTURE(writes_in_order, raw, "", integrity::Mode::direct)->Args({kMiB, 512});
BENCHMARK_CAPTURE(writes_in_order, journal, "crc32c", integrity::Mode::journal)
    ->Args({kMiB, 512})
    ->Args({kMiB, 4096});
BENCHMARK_CAPTURE(writes_in_order, bitmap, "crc32c", integrity::Mode::bitmap)
    ->Args({kMiB, 512})
    ->Args({kMiB, 4096});
BENCHMARK_CAPTURE(writes_to_disk, raw, "", integrity::Mode::direct)
    ->Args({kMiB, 512})
    ->UseRealTime();
BENCHMARK_CAPTURE(writes_to_disk, journal, "crc32c", integrity::Mode::journal)
    ->Args({kMiB, 4096})
    ->UseRealTime();
BENCHMARK_CAPTURE(writes_to_disk, bitmap, "crc32c", integrity::Mode::bitmap)
    ->Args({kMiB, 4096})
    ->UseRealTime();

}  // namespace
}  // namespace intact
