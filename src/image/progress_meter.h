#pragma once

#include <memory>

#include <intact/base/progress.h>
#include <intact/base/stream.h>
#include <intact/image/work.h>

namespace intact::image {

/// Counts the bytes of one step after another. Not thread-safe.
class ProgressMeter {
 public:
  /// An empty `progress` is told nothing.
  explicit ProgressMeter(const ProgressOfSteps& progress) : progress_(progress) {}

  void begin(std::string_view step, std::uint64_t total) {
    step_ = step;
    total_ = total;
    done_ = 0;
    advance(0);
  }
  void advance(std::uint64_t bytes) {
    done_ += bytes;
    if (progress_) progress_(step_, done_, total_);
  }

 private:
  const ProgressOfSteps& progress_;
  std::string_view step_;
  std::uint64_t total_ = 0;
  std::uint64_t done_ = 0;
};

/// A stream whose bytes are counted as they are read.
class MeteredStream final : public ByteStream {
 public:
  MeteredStream(std::unique_ptr<ByteStream> lower, ProgressMeter& meter)
      : lower_(std::move(lower)), meter_(meter) {}

  Result<std::size_t> read(MutableByteSpan out) override {
    const std::size_t n = TRY(lower_->read(out));
    meter_.advance(n);
    return n;
  }

 private:
  std::unique_ptr<ByteStream> lower_;
  ProgressMeter& meter_;
};

}  // namespace intact::image
