#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <sys/mman.h>

#include <intact/base/checked.h>
#include <intact/fsverity/verified_file.h>

namespace intact::fsverity {
namespace {

constexpr std::uint64_t kMaxSize = std::uint64_t{64} << 30;
/// Blocks copied in together: neighbours will be wanted, and hashing several at once is faster.
/// Divides 64, so that the bits of a cluster are in one word.
constexpr std::uint64_t kCluster = 16;

}  // namespace

VerifiedMemory::VerifiedMemory(std::unique_ptr<VerifiedFile> file, std::byte* memory)
    : file_(std::move(file)),
      size_(file_->size()),
      block_size_(file_->block_size()),
      memory_(memory),
      loaded_(std::make_unique<std::atomic<std::uint64_t>[]>(
          divide_up<std::uint64_t>(divide_up<std::uint64_t>(size_, block_size_), 64))) {}

VerifiedMemory::~VerifiedMemory() {
  if (memory_) ::munmap(memory_, size_);
}

Result<std::unique_ptr<VerifiedMemory>> VerifiedMemory::open(std::unique_ptr<VerifiedFile> file) {
  const std::uint64_t size = file->size();
  if (size > kMaxSize)
    return Error(ErrorKind::limit, fmt::format("{} bytes are too many to hold in memory", size));
  void* memory = nullptr;
  if (size != 0) {
    memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
      return Error::from_errno(fmt::format("memory for {} verified bytes", size), errno);
  }
  return std::unique_ptr<VerifiedMemory>(
      new VerifiedMemory(std::move(file), static_cast<std::byte*>(memory)));
}

bool VerifiedMemory::is_loaded(std::uint64_t block) const {
  return loaded_[block / 64].load(std::memory_order_acquire) >> block % 64 & 1;
}

/// Copies in those blocks of [first_block, end_block), all of one cluster, that are still missing.
/// The cluster's mutex is held.
Result<void> VerifiedMemory::load_blocks(std::uint64_t first_block, std::uint64_t end_block) const {
  for (std::uint64_t block = first_block; block < end_block;) {
    if (is_loaded(block)) {
      ++block;
      continue;
    }
    std::uint64_t end = block + 1;
    while (end < end_block && !is_loaded(end)) ++end;
    const std::uint64_t from = block * block_size_;
    const std::uint64_t to = std::min(end * block_size_, size_);
    TRY(file_->read(from, {memory_ + from, static_cast<std::size_t>(to - from)}));
    const std::uint64_t bits = ((std::uint64_t{1} << (end - block)) - 1) << block % 64;
    // A thread that sees the bits sees the bytes.
    loaded_[block / 64].fetch_or(bits, std::memory_order_release);
    block = end;
  }
  return {};
}

Result<void> VerifiedMemory::ensure(std::uint64_t first_block, std::uint64_t end_block) const {
  const std::uint64_t blocks = divide_up<std::uint64_t>(size_, block_size_);
  for (std::uint64_t block = first_block; block < end_block;) {
    const std::uint64_t cluster = block / kCluster;
    const std::uint64_t cluster_end = std::min((cluster + 1) * kCluster, blocks);
    const std::uint64_t end = std::min(cluster_end, end_block);
    while (block < end && is_loaded(block)) ++block;
    if (block == end) continue;
    const std::lock_guard lock(loading_[cluster % loading_.size()]);
    // A bad block that was not requested must not spoil the good ones.
    if (!load_blocks(cluster * kCluster, cluster_end)) TRY(load_blocks(block, end));
    block = end;
  }
  return {};
}

Result<ByteSpan> VerifiedMemory::view(std::uint64_t offset, std::size_t length) const {
  if (offset > size_ || size_ - offset < length)
    return Error(ErrorKind::malformed,
                 fmt::format("bytes {}+{} are beyond the end ({} bytes)", offset, length, size_));
  if (length == 0) return ByteSpan();
  TRY(ensure(offset / block_size_, divide_up<std::uint64_t>(offset + length, block_size_)));
  return ByteSpan(memory_ + offset, length);
}

Result<void> VerifiedMemory::read(std::uint64_t offset, MutableByteSpan out) const {
  const ByteSpan bytes = TRY(view(offset, out.size()));
  std::copy_n(bytes.begin(), bytes.size(), out.begin());
  return {};
}

}  // namespace intact::fsverity
