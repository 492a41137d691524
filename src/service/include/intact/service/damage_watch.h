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

#include <intact/base/damage.h>
#include <intact/base/line_log.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::service {

/// Notes damage that is found while a program uses what we serve, in whichever process finds it:
/// one line for each damaged block, and a count that the process that made this and all its later
/// children share. Thread-safe, but for finish().
///
/// A process of its own prints the lines, by the function that create() is given. Threads that
/// serve files must not wait for the reader of stderr, which may itself wait for such a file.
class DamageWatch {
 public:
  using Print = void (*)(std::string_view line);
  /// Forks the process that prints, on stderr. Must be called while the process has one thread
  /// only.
  static Result<std::unique_ptr<DamageWatch>> create(Print print);
  DamageWatch(const DamageWatch&) = delete;
  DamageWatch& operator=(const DamageWatch&) = delete;
  ~DamageWatch();

  /// Logs "damaged: " and damage_line() about a block of an object that was not noted before, then
  /// makes event_fd() readable. Never waits for the reader of stderr.
  void note(const Damage& damage, std::string_view nameless);
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
  DamageWatch(Counts* counts, UniqueFd event, UniqueFd queue, pid_t printer, Print print)
      : counts_(counts),
        event_(std::move(event)),
        queue_(std::move(queue)),
        creator_(::getpid()),
        printer_(printer),
        print_(print) {}

  Counts* counts_;
  UniqueFd event_, queue_;
  pid_t creator_, printer_;
  Print print_;
  std::mutex mutex_;
  DistinctLines lines_;
  std::set<std::pair<std::string, std::uint64_t>> seen_;
};

}  // namespace intact::service
