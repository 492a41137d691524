#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/worker_pool.h>

namespace intact::image {

/// Compresses to one gzip member without name and time, on all processors. The content is cut into
/// blocks of a fixed size, each compressed on its own with the 32 KiB before it as a dictionary: so
/// the same bytes give the same member whatever the pieces that they come in and the number of
/// processors, wherever the same zlib runs. For one thread at a time.
class GzipWriter {
 public:
  /// Called by the thread that calls write() and finish(), in order.
  using Sink = std::function<Result<void>(ByteSpan)>;
  /// Bytes of content in a block. Part of what the output depends on.
  static constexpr std::size_t kBlock = 512 * 1024;

  explicit GzipWriter(Sink sink);
  ~GzipWriter();
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;

  Result<void> write(ByteSpan bytes);
  Result<void> finish();  ///< Call once.

 private:
  struct Block;
  void hand_over(bool last);
  Result<void> take_oldest();

  Sink sink_;
  std::unique_ptr<Block> filling_;
  std::deque<std::shared_ptr<Block>> under_way_;
  bool begun_ = false;
  std::uint32_t crc_ = 0;   // of what has gone to the sink
  std::uint32_t size_ = 0;  // of its content, modulo 2^32 as gzip counts
  WorkerPool pool_;         // last: its threads use what is above
};

}  // namespace intact::image
