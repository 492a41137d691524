#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/worker_pool.h>
#include <intact/oci/layer_applier.h>
#include <intact/store/transaction.h>

#include "canonical_tree.h"

namespace intact::image {

/// Gives each regular file of the layers what a composefs image records of it: its content when it
/// is tiny, else the digest and path of its object. With a transaction the objects are stored as
/// well. Small files are gathered in memory and handed to worker threads, many at a time; large
/// ones are hashed as they come, so memory stays bounded.
class ObjectSink final : public oci::ContentSink {
 public:
  /// `destination` may be null: then contents are hashed and forgotten. `sha512` may be null, too;
  /// otherwise it gets the other digest of each file that is an object. Both must outlive the sink.
  explicit ObjectSink(store::Transaction* destination, Sha512Digests* sha512 = nullptr);
  ~ObjectSink() override;

  Result<std::unique_ptr<File>> begin(std::uint64_t size) override;
  Result<void> wait() override;

 private:
  class SmallFile;
  class LargeFile;
  class StoredLargeFile;
  class Sha512File;
  /// Files of a batch, their contents one behind the other.
  struct Batch {
    struct File {
      std::size_t end;  ///< of its content, in `contents`
      tree::InodePtr inode;
    };
    Bytes contents;
    std::vector<File> files;

    std::size_t end() const { return files.empty() ? 0 : files.back().end; }
  };

  /// Files up to this many bytes are held in memory.
  static constexpr std::uint64_t kSmall = 1024 * 1024;
  /// A batch is handed over as soon as it has this many bytes or files: waking a thread costs more
  /// than hashing a small file.
  static constexpr std::size_t kBatchBytes = 256 * 1024;
  static constexpr std::size_t kBatchFiles = 64;
  /// Batches waiting for a thread: some 20 MiB at most.
  static constexpr std::size_t kBatches = 16;

  /// Makes room for a file of at most kSmall bytes behind those of the batch.
  void make_room(std::size_t size);
  void hand_over();
  Result<void> digest(const Batch& batch) const;

  store::Transaction* destination_;
  Sha512Digests* sha512_;
  Batch batch_;
  std::mutex mutex_;          ///< guards the next
  std::vector<Bytes> spare_;  ///< memory to be used again: fresh pages cost as much as hashing does
  WorkerPool pool_;
};

}  // namespace intact::image
