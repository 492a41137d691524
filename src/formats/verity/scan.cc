#include <algorithm>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>

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

  /// As they came.
  DamageList take_all() { return std::move(list_); }

  /// In order, the hash area first; neighbours with the same outcome are one entry.
  DamageList take() {
    std::ranges::sort(list_, {}, [](const Damage& d) {
      return std::tuple(area_of(d) == Area::data, d.range->first);
    });
    DamageList merged;
    for (Damage& next : list_) {
      if (!merged.empty()) {
        Damage& last = merged.back();
        if (last.object == next.object &&
            last.range->first + last.range->count == next.range->first &&
            last.reason == next.reason && last.correctable == next.correctable) {
          last.range->count += next.range->count;
          last.range->bytes += next.range->bytes;
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

Result<bool> VerityTarget::Impl::try_correct(Node node, const CorrectedSink& corrected) const {
  if (!tree_->can_correct()) return false;
  const auto content = tree_->correct(node);
  if (!content) return false;
  if (corrected) TRY(corrected(Area::hash, tree_->place_of(node), *content));
  return true;
}

/// Reads the stored block itself, since the one in the cache may be a corrected one.
Result<DamageList> VerityTarget::Impl::scan_hash_block(Node node,
                                                       const CorrectedSink& corrected) const {
  Damage damage = damage_in(Area::hash, tree_->place_of(node), 1, {});
  const auto digest = tree_->expected_digest(node, HashTree::Correction::yes);
  if (!digest) {
    if (digest.error().kind() != ErrorKind::tampered)
      return Error(digest.error().kind(), digest.error().message(), digest.error().sys_errno());
    damage.reason = "cannot be checked: a hash block above it is bad";
    return DamageList{damage};
  }
  Bytes content(geometry().hash_block_size());
  if (auto read = devices_.hash->read(damage.range->offset, content); !read) {
    damage.reason = "cannot be read: " + read.error().message();
  } else if (!tree_->has_digest(node, content, *digest)) {
    damage.reason = "does not match its hash";
  } else if (!tree_->has_zero_padding(node, content)) {
    damage.reason =
        "is not zero after its hashes: the device may have more data blocks than stated";
    return DamageList{damage};
  } else {
    return DamageList{};
  }
  damage.correctable = TRY(try_correct(node, corrected));
  return DamageList{damage};
}

Result<VerityTarget::Impl::DataFindings> VerityTarget::Impl::scan_data(VerifiedData& data,
                                                                       std::uint64_t first,
                                                                       std::uint64_t end) const {
  static thread_local Bytes buffer;
  const std::size_t size = geometry().data_block_size();
  DataFindings found;
  for (std::uint64_t block = first; block < end;) {
    const std::uint64_t run = data.run_length(block, end);
    buffer.resize(run * size);
    auto bad = data.read_run(block, buffer);
    if (!bad && bad.error().kind() != ErrorKind::tampered) return std::move(bad).error();
    if (!bad)
      found.unchecked.push_back(
          damage_in(Area::data, block, run, "cannot be checked: " + bad.error().message()));
    else
      for (BadBlock& one : *bad)
        found.bad.push_back(damage_in(Area::data, one.block, 1, std::move(one.reason)));
    block += run;
  }
  return found;
}

Result<void> VerityTarget::Impl::correct_data(
    std::vector<Damage>& bad, WorkerPool& pool, const CorrectedSink& corrected,
    const std::function<void(std::uint64_t blocks)>& progress) const {
  // Blocks of one group share their codewords. To decode each block by itself would read and hash
  // a group as often as it has bad blocks, up to 253 times.
  const std::uint64_t groups = tree_->fec_groups();
  std::ranges::sort(bad, {}, [groups](const Damage& d) {
    return std::pair(d.range->first % groups, d.range->first);
  });
  for (std::size_t begin = 0; begin < bad.size() && !pool.failed();) {
    const std::uint64_t group = bad[begin].range->first % groups;
    std::size_t end = begin;
    while (end < bad.size() && bad[end].range->first % groups == group) ++end;
    pool.submit([&, begin, end]() -> Result<void> {
      std::vector<std::uint64_t> blocks;
      for (std::size_t i = begin; i < end; ++i) blocks.push_back(bad[i].range->first);
      const auto contents = tree_->correct_data(blocks);
      for (std::size_t i = 0; contents && i < blocks.size(); ++i) {
        const std::optional<Bytes>& content = (*contents)[i];
        bad[begin + i].correctable = content.has_value();
        if (content && corrected) TRY(corrected(Area::data, blocks[i], *content));
      }
      progress(end - begin);
      return {};
    });
    begin = end;
  }
  return pool.wait();
}

Result<std::vector<Damage>> VerityTarget::Impl::scan(unsigned threads, const Progress& progress,
                                                     const CorrectedSink& corrected) const {
  tree_->remember_failures();
  const std::uint64_t block_size = geometry().data_block_size();
  std::mutex mutex;
  std::uint64_t done = 0;
  std::uint64_t total = geometry().hash_size() + geometry().data_size();
  const auto add_progress = [&](std::uint64_t bytes) {
    const std::lock_guard lock(mutex);
    done += bytes;
    if (progress) progress(done, total);
  };

  Findings findings;
  WorkerPool pool(threads);
  for (std::uint64_t first = 0; first < geometry().hash_blocks(); first += kHashJobBlocks) {
    pool.submit([&, first]() -> Result<void> {
      const std::uint64_t end = std::min(first + kHashJobBlocks, geometry().hash_blocks());
      for (std::uint64_t block = first; block < end; ++block) {
        findings.add(TRY(scan_hash_block(tree_->node_at(block), corrected)));
        add_progress(geometry().hash_block_size());
      }
      return {};
    });
  }
  TRY(pool.wait());

  VerifiedData data(devices_.data, *tree_, {});  // without what the options leave unchecked
  Findings bad;
  const std::uint64_t blocks = geometry().data_blocks();
  const std::uint64_t step = std::max<std::uint64_t>(kJobBytes / block_size, 1);
  for (std::uint64_t first = 0; first < blocks && !pool.failed(); first += step) {
    pool.submit([&, first]() -> Result<void> {
      const std::uint64_t end = std::min(first + step, blocks);
      DataFindings found = TRY(scan_data(data, first, end));
      findings.add(std::move(found.unchecked));
      bad.add(std::move(found.bad));
      add_progress((end - first) * block_size);
      return {};
    });
  }
  TRY(pool.wait());

  DamageList bad_blocks = bad.take_all();
  if (tree_->can_correct() && !bad_blocks.empty()) {
    total += bad_blocks.size() * block_size;
    TRY(correct_data(bad_blocks, pool, corrected,
                     [&](std::uint64_t count) { add_progress(count * block_size); }));
  }
  findings.add(std::move(bad_blocks));
  return findings.take();
}

}  // namespace intact::verity
