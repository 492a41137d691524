#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include <intact/base/worker_pool.h>
#include <intact/verity/verity_target.h>

#include "hash_tree.h"
#include "verified_data.h"

namespace intact::verity {

class VerityTarget::Impl {
 public:
  Impl(std::unique_ptr<HashTree> tree, Devices devices, Options options)
      : options_(std::move(options)),
        devices_(std::move(devices)),
        tree_(std::move(tree)),
        data_(devices_.data, *tree_, options_) {}

  const Geometry& geometry() const { return tree_->geometry(); }
  const HashTree& tree() const { return *tree_; }

  Result<void> read(std::uint64_t offset, MutableByteSpan out);
  Result<std::vector<Damage>> scan(unsigned threads, const Progress& progress,
                                   const CorrectedSink& corrected) const;
  Totals totals() const;
  Result<void> extents(std::uint64_t offset, std::uint64_t length,
                       const block::ExtentSink& sink) const;

 private:
  Result<void> read_blocks(std::uint64_t first, MutableByteSpan content);
  Result<void> settle(const std::vector<BadBlock>& bad, std::uint64_t first,
                      MutableByteSpan content);
  Result<void> refuse(const Damage& damage);
  Damage damage_in(Area area, std::uint64_t first, std::uint64_t blocks, std::string reason) const;
  Result<std::vector<Damage>> scan_hash_block(Node node, const CorrectedSink& corrected) const;
  /// Data blocks in a range: those that are bad, and runs that cannot be checked.
  struct DataFindings {
    std::vector<Damage> bad;  ///< single blocks
    std::vector<Damage> unchecked;
  };
  Result<DataFindings> scan_data(VerifiedData& data, std::uint64_t first, std::uint64_t end) const;
  /// Finds out which bad data blocks FEC can correct and passes their content to the sink.
  Result<void> correct_data(std::vector<Damage>& bad, WorkerPool& pool,
                            const CorrectedSink& corrected,
                            const std::function<void(std::uint64_t blocks)>& progress) const;
  /// Whether FEC can correct a bad hash block; its content goes to the sink.
  Result<bool> try_correct(Node node, const CorrectedSink& corrected) const;

  Options options_;
  Devices devices_;
  std::unique_ptr<HashTree> tree_;
  VerifiedData data_;
  std::atomic<std::uint64_t> corrupted_ = 0;
  std::atomic<std::uint64_t> corrected_ = 0;
  std::atomic<bool> stopped_ = false;
  std::mutex reported_mutex_;
  std::set<std::pair<Area, std::uint64_t>> reported_;  ///< so that the sink hears of each once
};

}  // namespace intact::verity
