#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <intact/base/stream.h>

namespace intact::image {

/// Reads the inner stream on a thread of its own, a bounded distance ahead: it turns
/// inflating, hashing and parsing into a pipeline. The inner stream is used by that thread alone.
/// Where there may be no more threads it is read when its bytes are wanted.
class ReadAheadStream final : public ByteStream {
 public:
  explicit ReadAheadStream(std::unique_ptr<ByteStream> inner);
  ~ReadAheadStream() override;

  Result<std::size_t> read(MutableByteSpan out) override;

 private:
  // Handing a chunk over may wake a thread, which costs as much as inflating some ten KiB.
  static constexpr std::size_t kChunk = 1024 * 1024;
  static constexpr std::size_t kChunks = 8;  // so far ahead at most

  void work();

  std::unique_ptr<ByteStream> inner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Bytes> ready_;
  std::vector<Bytes> spare_;  // memory to be used again: fresh pages cost as much as hashing does
  std::optional<Error> error_;
  bool ended_ = false;
  bool stop_ = false;
  Bytes current_;  // the consumer's, outside the lock
  std::size_t position_ = 0;
  std::thread thread_;  // perhaps none
};

}  // namespace intact::image
