#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <sys/types.h>
#include <unistd.h>

#include <intact/base/line_log.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/image/opened_image.h>

namespace intact::cli {

/// Notes damage that is found while a container runs, in whichever process finds it: one line on
/// stderr for each damaged block, and a count that the process that made this and all its later
/// children share. Thread-safe, but for finish().
///
/// A process of its own prints the lines. Threads that serve files must not wait for the reader of
/// stderr, which may itself wait for such a file.
class DamageWatch {
 public:
  static Result<std::unique_ptr<DamageWatch>> create();
  DamageWatch(const DamageWatch&) = delete;
  DamageWatch& operator=(const DamageWatch&) = delete;
  ~DamageWatch();

  /// Logs, then makes event_fd() readable. Never waits for the reader of stderr.
  void note(const image::Damage& damage);
  /// Prints a warning soon, each different one once. Never waits; when the queue is full, the line
  /// is lost, and finish() says how many were.
  void log(std::string_view line);
  /// In the process that made this: waits until everything is printed. Later lines are lost.
  void finish();
  /// Damaged blocks, each counted once.
  std::uint32_t count() const;
  /// Becomes readable at the first damage and stays so.
  int event_fd() const { return event_.get(); }

 private:
  /// In a page that is shared with children.
  struct Counts {
    std::atomic<std::uint32_t> damaged = 0;  ///< blocks
    std::atomic<std::uint32_t> lost = 0;     ///< lines
  };
  DamageWatch(Counts* counts, UniqueFd event, UniqueFd queue, pid_t printer)
      : counts_(counts),
        event_(std::move(event)),
        queue_(std::move(queue)),
        creator_(::getpid()),
        printer_(printer) {}

  Counts* counts_;
  UniqueFd event_, queue_;
  pid_t creator_, printer_;
  std::mutex mutex_;
  DistinctLines lines_;
  std::set<std::pair<std::string, std::uint64_t>> seen_;
};

}  // namespace intact::cli
