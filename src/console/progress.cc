#include <cstdio>
#include <cstdlib>
#include <string>

#include <sys/ioctl.h>
#include <unistd.h>

#include <intact/console/output.h>
#include <intact/console/progress.h>

#include "progress_text.h"

namespace intact::console {
namespace {

constexpr auto kFirst = std::chrono::milliseconds(300);
constexpr auto kBetween = std::chrono::milliseconds(100);
constexpr const char* kWipe = "\r\x1b[K";

bool is_wanted() {
  const char* const terminal = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && terminal != nullptr &&
         std::string_view(terminal) != "dumb";
}

/// Asked each time, since a window may be resized. The last column is left free: some terminals
/// wrap there.
std::size_t columns() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return (known ? size.ws_col : 80U) - 1;
}

}  // namespace

ProgressLine::ProgressLine()
    : wanted_(is_wanted()), step_begin_(Clock::now()), next_(step_begin_ + kFirst) {}

ProgressLine::~ProgressLine() {
  if (shown_) tell_styled(kWipe);
}

void ProgressLine::show(std::string_view step, std::uint64_t done_bytes,
                        std::uint64_t total_bytes) {
  if (!wanted_) return;
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  const bool new_step = step != step_;
  if (new_step) {
    step_ = step;
    step_begin_ = now;
  }
  // A new step replaces a line at once: the next progress may be long in coming.
  if (now < next_ && !(new_step && shown_)) return;
  next_ = now + kBetween;
  shown_ = true;
  const double seconds = std::chrono::duration<double>(now - step_begin_).count();
  const std::string line =
      kWipe + progress_text({step, done_bytes, total_bytes, seconds}, columns());
  tell_styled(line);
}

ProgressOfSteps ProgressLine::sink() {
  return [this](std::string_view step, std::uint64_t done, std::uint64_t total) {
    show(step, done, total);
  };
}

}  // namespace intact::console
