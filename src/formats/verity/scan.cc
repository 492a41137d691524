#include <algorithm>
#include <mutex>
#include <tuple>

#include <intact/base/worker_pool.h>

#include "verity_target_impl.h"

namespace intact::verity {
namespace {

using DamageList = std::vector<Damage>;

/// Bytes of data that one job reads.
constexpr std::uint64_t kJobBytes = 4 << 20;
constexpr std::uint64_t kHashJobBlocks = 256;

/// Findings of many threads.
class Findings {
 public:
  void add(DamageList list) {
    const std::lock_guard lock(mutex_);
    list_.insert(list_.end(), std::make_move_iterator(list.begin()),
                 std::make_move_iterator(list.end()));
  }

  /// In order, the hash area first; neighbours with the same fate are one entry.
  DamageList take() {
    std::ranges::sort(list_, {},
                      [](const Damage& d) { return std::tuple(d.area == Area::data, d.block); });
    DamageList merged;
    for (Damage& next : list_) {
      if (!merged.empty()) {
        Damage& last = merged.back();
        if (last.area == next.area && last.block + last.blocks == next.block &&
            last.reason == next.reason && last.mendable == next.mendable) {
          last.blocks += next.blocks;
          continue;
        }
      }
      merged.push_back(std::move(next));
    }
    return merged;
  }

 private:
  std::mutex mutex_;
  DamageList list_;
};

}  // namespace

Result<bool> VerityTarget::Impl::try_mend(Node node, const MendedSink& mended) const {
  if (!tree_->can_mend()) return false;
  const auto content = tree_->mend(node);
  if (!content) return false;
  if (!mended) return true;
  const bool is_data = node.level == Node::kData;
  TRY(mended(is_data ? Area::data : Area::hash, is_data ? node.index : tree_->place_of(node),
             *content));
  return true;
}

/// Looks at the stored block itself: what is in the cache may have been mended.
Result<DamageList> VerityTarget::Impl::scan_hash_block(Node node, const MendedSink& mended) const {
  Damage damage{.area = Area::hash, .block = tree_->place_of(node), .reason = {}};
  const auto digest = tree_->expected_digest(node, HashTree::Mending::yes);
  if (!digest) {
    if (digest.error().kind() != ErrorKind::tampered)
      return Error(digest.error().kind(), digest.error().message(), digest.error().sys_errno());
    damage.reason = "cannot be checked: a hash block above it is bad";
    return DamageList{damage};
  }
  Bytes content(geometry().hash_block_size());
  const std::uint64_t offset = devices_.hash_offset + damage.block * geometry().hash_block_size();
  if (auto read = devices_.hash->read(offset, content); !read)
    damage.reason = "cannot be read: " + read.error().message();
  else if (!tree_->has_digest(node, content, *digest))
    damage.reason = "does not match its hash";
  else if (!tree_->has_zero_padding(node, content))
    return DamageList{
        {.area = Area::hash,
         .block = damage.block,
         .reason =
             "is not zero behind its hashes: the device may have more data blocks than stated"}};
  else
    return DamageList{};
  damage.mendable = TRY(try_mend(node, mended));
  return DamageList{damage};
}

Result<DamageList> VerityTarget::Impl::scan_data(VerifiedData& data, std::uint64_t first,
                                                 std::uint64_t end,
                                                 const MendedSink& mended) const {
  static thread_local Bytes buffer;
  const std::size_t size = geometry().data_block_size();
  DamageList found;
  for (std::uint64_t block = first; block < end;) {
    const std::uint64_t run = data.run_length(block, end);
    buffer.resize(run * size);
    auto bad = data.read_run(block, buffer);
    if (!bad && bad.error().kind() != ErrorKind::tampered) return std::move(bad).error();
    if (!bad) {
      found.push_back({.area = Area::data,
                       .block = block,
                       .blocks = run,
                       .reason = "cannot be checked: " + bad.error().message()});
    } else {
      for (BadBlock& one : *bad)
        found.push_back({.area = Area::data,
                         .block = one.block,
                         .reason = std::move(one.reason),
                         .mendable = TRY(try_mend({Node::kData, one.block}, mended))});
    }
    block += run;
  }
  return found;
}

Result<DamageList> VerityTarget::Impl::scan(unsigned threads, const Progress& progress,
                                            const MendedSink& mended) const {
  Findings findings;
  WorkerPool pool(threads);
  for (std::uint64_t first = 0; first < geometry().hash_blocks(); first += kHashJobBlocks) {
    pool.submit([&, first]() -> Result<void> {
      const std::uint64_t end = std::min(first + kHashJobBlocks, geometry().hash_blocks());
      for (std::uint64_t block = first; block < end; ++block)
        findings.add(TRY(scan_hash_block(tree_->node_at(block), mended)));
      return {};
    });
  }
  TRY(pool.wait());

  VerifiedData data(devices_.data, *tree_, {});  // without what the options leave unchecked
  std::mutex mutex;
  std::uint64_t done = 0;
  const std::uint64_t blocks = geometry().data_blocks();
  const std::uint64_t step = std::max<std::uint64_t>(kJobBytes / geometry().data_block_size(), 1);
  for (std::uint64_t first = 0; first < blocks && !pool.failed(); first += step) {
    pool.submit([&, first]() -> Result<void> {
      const std::uint64_t end = std::min(first + step, blocks);
      findings.add(TRY(scan_data(data, first, end, mended)));
      const std::lock_guard lock(mutex);
      done += (end - first) * geometry().data_block_size();
      if (progress) progress(done, geometry().data_size());
      return {};
    });
  }
  TRY(pool.wait());
  return findings.take();
}

}  // namespace intact::verity
