#include "build.h"

#include <algorithm>
#include <mutex>

#include <intact/base/worker_pool.h>

#include "block_digester.h"

namespace intact::verity {
namespace {

/// Bytes read and hashed in one go: they should still lie in the cache when they are hashed.
constexpr std::uint64_t kRunBytes = 128 << 10;
/// Bytes that one job covers, at least.
constexpr std::uint64_t kJobBytes = 1 << 20;

/// One level of the tree and what it is computed from.
struct LevelTask {
  const Geometry& geometry;
  const crypto::BlockHasher& digester;  ///< for the blocks below
  const ByteSource& below;
  std::uint64_t below_offset;  ///< bytes
  std::uint64_t digests;       ///< blocks below
  block::Device& hash;
  std::uint64_t offset;  ///< of the level in `hash`, in bytes
};

/// Digests of the blocks [first, first + count) below, packed.
Result<void> digest_run(const LevelTask& task, std::uint64_t first, std::uint64_t count,
                        MutableByteSpan digests) {
  static thread_local Bytes buffer;
  const std::size_t size = task.digester.block_size();
  buffer.resize(count * size);
  TRY(task.below.read(task.below_offset + first * size, buffer));
  task.digester.hash(buffer, digests);
  return {};
}

/// Puts packed digests into their slots of a zeroed hash block.
void place(const Geometry& geometry, ByteSpan digests, std::uint64_t first_slot, Bytes& block) {
  const std::size_t size = geometry.digest_size();
  for (std::size_t i = 0; i * size < digests.size(); ++i)
    std::copy_n(
        digests.begin() + static_cast<std::ptrdiff_t>(i * size), size,
        block.begin() + static_cast<std::ptrdiff_t>((first_slot + i) * geometry.slot_size()));
}

/// Computes and writes hash block `index` of the level.
Result<void> build_block(const LevelTask& task, std::uint64_t index) {
  const Geometry& geometry = task.geometry;
  const std::uint64_t first = index * geometry.hashes_per_block();
  const std::uint64_t count = std::min(geometry.hashes_per_block(), task.digests - first);
  const std::uint64_t run = std::max<std::uint64_t>(kRunBytes / task.digester.block_size(), 1);
  Bytes block(geometry.hash_block_size());
  Bytes digests;
  for (std::uint64_t done = 0; done < count;) {
    const std::uint64_t n = std::min(run, count - done);
    digests.resize(n * geometry.digest_size());
    TRY(digest_run(task, first + done, n, digests));
    place(geometry, digests, done, block);
    done += n;
  }
  return task.hash.write(task.offset + index * geometry.hash_block_size(), block);
}

}  // namespace

Result<Bytes> build_hash_tree(const Params& params, const ByteSource& data, block::Device& hash,
                              std::uint64_t offset, unsigned threads, const Progress& progress) {
  const Geometry geometry = TRY(Geometry::create(params));
  const crypto::BlockHasher data_digester =
      TRY(make_block_digester(params, params.data_block_size));
  const crypto::BlockHasher hash_digester =
      TRY(make_block_digester(params, params.hash_block_size));
  TRY(block::check_range(data.size(), 0, geometry.data_size()).context("data area"));
  TRY(block::check_range(hash.size(), offset, geometry.hash_size()).context("hash area"));

  std::mutex mutex;
  std::uint64_t done = 0;
  WorkerPool pool(threads);
  const auto& levels = geometry.levels();
  for (std::size_t level = 0; level < levels.size(); ++level) {
    const bool lowest = level == 0;
    const auto place_of = [&](std::size_t l) {
      return offset + levels[l].first_block * geometry.hash_block_size();
    };
    const LevelTask task{
        .geometry = geometry,
        .digester = lowest ? data_digester : hash_digester,
        .below = lowest ? data : hash,
        .below_offset = lowest ? 0 : place_of(level - 1),
        .digests = geometry.digests(level),
        .hash = hash,
        .offset = place_of(level),
    };
    const std::uint64_t covered = geometry.hashes_per_block() * task.digester.block_size();
    const std::uint64_t step = std::max<std::uint64_t>(kJobBytes / covered, 1);
    for (std::uint64_t first = 0; first < levels[level].blocks && !pool.failed(); first += step) {
      pool.submit([&, task, first]() -> Result<void> {
        const std::uint64_t end = std::min(first + step, levels[level].blocks);
        for (std::uint64_t index = first; index < end; ++index) TRY(build_block(task, index));
        const std::lock_guard lock(mutex);
        if (!lowest || !progress) return {};
        done += (end - first) * covered;
        progress(std::min(done, geometry.data_size()), geometry.data_size());
        return {};
      });
    }
    TRY(pool.wait());
  }

  // The top block comes first. Without one the only data block stands for itself.
  const crypto::BlockHasher& digester = levels.empty() ? data_digester : hash_digester;
  Bytes top(digester.block_size());
  Bytes root(geometry.digest_size());
  TRY((levels.empty() ? data : static_cast<const ByteSource&>(hash))
          .read(levels.empty() ? 0 : offset, top));
  digester.hash(top, root);
  return root;
}

}  // namespace intact::verity
