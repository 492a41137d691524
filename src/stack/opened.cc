#include "opened.h"

#include <mutex>
#include <utility>

namespace intact::stack {

namespace {

constexpr std::size_t kMaxLines = 100;  // looking into a volume reads little of it

}  // namespace

struct EarlyEvents::Kept {
  std::mutex mutex;
  std::vector<std::string> lines;
  bool stopped = false;
  bool connected = false;
  dm::Events events;

  void log(std::string_view line) {
    {
      const std::lock_guard lock(mutex);
      if (!connected) {
        if (lines.size() < kMaxLines) lines.emplace_back(line);
        return;
      }
    }
    if (events.log) events.log(line);
  }
  void stop() {
    {
      const std::lock_guard lock(mutex);
      if (!connected) {
        stopped = true;
        return;
      }
    }
    if (events.stop) events.stop();
  }
};

EarlyEvents::EarlyEvents() : kept_(std::make_shared<Kept>()) {}

dm::Events EarlyEvents::events() const {
  return {.log = [kept = kept_](std::string_view line) { kept->log(line); },
          .stop = [kept = kept_] { kept->stop(); }};
}

void EarlyEvents::pass_on_to(const dm::Events& events) {
  {
    const std::lock_guard lock(kept_->mutex);
    kept_->events = events;
    kept_->connected = true;
  }
  if (events.log)
    for (const std::string& line : std::exchange(kept_->lines, {})) events.log(line);
  if (kept_->stopped && events.stop) events.stop();
}

}  // namespace intact::stack
