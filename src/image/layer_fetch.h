#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <intact/base/progress.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/base/worker_pool.h>
#include <intact/oci/image_source.h>
#include <intact/store/transaction.h>

namespace intact::image {

/// Tells how far the layers have come: while some are still read that, then how much of them has
/// been unpacked. Thread-safe.
class LayerProgress {
 public:
  /// `total`: bytes of all layers. `progress` may be empty, and outlives this.
  LayerProgress(const ProgressOfSteps& progress, std::uint64_t total)
      : progress_(progress), total_(total) {}
  void read(std::uint64_t bytes);
  void take_back(std::uint64_t bytes);  ///< were read for nothing
  void unpacked(std::uint64_t bytes);

 private:
  void tell();  ///< with the lock held

  const ProgressOfSteps& progress_;
  const std::uint64_t total_;
  std::mutex mutex_;
  std::uint64_t read_ = 0, unpacked_ = 0;
};

/// Stages the layers of an image on threads of its own, from a network several at once, while those
/// that are complete are unpacked: what is opened here has been hashed as a whole. What had arrived
/// from a network before an error or the end of the process is used by the next attempt.
class LayerFetch {
 public:
  /// All arguments outlive this.
  LayerFetch(const oci::BlobSource& source, const std::vector<oci::Descriptor>& layers,
             store::Transaction& transaction, LayerProgress& progress);
  ~LayerFetch();  ///< gives up what has not arrived
  LayerFetch(const LayerFetch&) = delete;
  LayerFetch& operator=(const LayerFetch&) = delete;

  /// Waits for a layer. Its error is that of the source, tampered when it has the wrong digest.
  Result<std::unique_ptr<ByteStream>> open(const oci::Descriptor& layer);
  /// The first error of any layer. It ends the work on the others.
  std::optional<Error> error() const;
  /// Layers that the store had. Complete once all layers have been opened.
  const std::unordered_set<Digest>& reused() const { return reused_; }

 private:
  void run(const oci::Descriptor& layer);
  Result<void> stage(const oci::Descriptor& layer);
  /// Reads the rest of a blob; `failed`: the source could not.
  Result<void> fill(const oci::Descriptor& layer, ByteStream& stored, store::BlobWriter& writer,
                    bool& failed);

  const oci::BlobSource& source_;
  store::Transaction& transaction_;
  LayerProgress& progress_;
  std::atomic<bool> stop_ = false;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<Digest, bool> done_;  ///< whether each layer has been staged, or has failed
  std::unordered_set<Digest> reused_;
  std::optional<Error> error_;
  WorkerPool pool_;  ///< the last: its jobs use the rest
};

}  // namespace intact::image
