#include "progress.h"

#include <cstdio>

#include "command.h"

namespace intact::cli {

ProgressLine::ProgressLine(std::string what)
    : what_(std::move(what)),
      wanted_(progress_wanted()),
      begin_(Clock::now()),
      next_(begin_ + std::chrono::milliseconds(300)) {}

ProgressLine::~ProgressLine() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
}

void ProgressLine::show(std::uint64_t done_bytes, std::uint64_t total_bytes) {
  if (!wanted_ || total_bytes == 0) return;
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::milliseconds(100);
  shown_ = true;
  constexpr std::uint64_t kWidth = 30;
  const std::uint64_t filled = done_bytes * kWidth / total_bytes;
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  fmt::print(stderr, "\r\x1b[K{} [{}{}] {:3}%  {:.0f} MB/s", what_, std::string(filled, '='),
             std::string(kWidth - filled, ' '), done_bytes * 100 / total_bytes,
             static_cast<double>(done_bytes) / 1e6 / seconds);
}

}  // namespace intact::cli
