#include "read_ahead.h"

#include <algorithm>

#include <intact/base/thread.h>

namespace intact::image {

ReadAheadStream::ReadAheadStream(std::unique_ptr<ByteStream> inner) : inner_(std::move(inner)) {
  if (auto thread = start_thread([this] { work(); })) thread_ = std::move(*thread);
}

ReadAheadStream::~ReadAheadStream() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ReadAheadStream::work() {
  for (;;) {
    Bytes chunk;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || ready_.size() < kChunks; });
      if (stop_) return;
      if (!spare_.empty()) {
        chunk = std::move(spare_.back());
        spare_.pop_back();
      }
    }
    chunk.resize(kChunk);
    auto n = read_fully(*inner_, chunk);
    const std::lock_guard lock(mutex_);
    ended_ = !n || *n < kChunk;
    if (!n) {
      error_ = std::move(n).error();
    } else if (*n != 0) {
      chunk.resize(*n);
      ready_.push_back(std::move(chunk));
    }
    changed_.notify_all();
    if (ended_) return;
  }
}

Result<std::size_t> ReadAheadStream::read(MutableByteSpan out) {
  if (!thread_.joinable()) return inner_->read(out);
  if (position_ == current_.size()) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !ready_.empty() || ended_; });
    if (ready_.empty()) {
      if (!error_) return std::size_t{0};
      return Error(error_->kind(), error_->message(), error_->sys_errno());
    }
    if (!current_.empty()) spare_.push_back(std::move(current_));
    current_ = std::move(ready_.front());
    ready_.pop_front();
    position_ = 0;
    changed_.notify_all();
  }
  const std::size_t n = std::min(out.size(), current_.size() - position_);
  std::copy_n(current_.begin() + static_cast<std::ptrdiff_t>(position_), n, out.begin());
  position_ += n;
  return n;
}

}  // namespace intact::image
