#pragma once

#include <memory>

#include <intact/base/worker_pool.h>
#include <intact/oci/content_sink.h>
#include <intact/store/transaction.h>

namespace intact::image {

/// Gives each regular file of the layers what a composefs image records of it: its content when it
/// is tiny, else the digest and path of its object. With a transaction the objects are stored as
/// well. Small files are gathered in memory and handed to worker threads; large ones are hashed as
/// they come, so memory stays bounded.
class ObjectSink final : public oci::ContentSink {
 public:
  /// `destination` may be null: then contents are hashed and forgotten. It must outlive the sink.
  explicit ObjectSink(store::Transaction* destination) : destination_(destination) {}

  Result<std::unique_ptr<File>> begin(std::uint64_t size) override;
  Result<void> wait() override { return pool_.wait(); }

 private:
  class SmallFile;
  class LargeFile;
  class StoredLargeFile;

  /// Files up to this many bytes are held in memory; with the pool's queue that is 64 MiB at most.
  static constexpr std::uint64_t kSmall = 1024 * 1024;

  store::Transaction* destination_;
  WorkerPool pool_;
};

}  // namespace intact::image
