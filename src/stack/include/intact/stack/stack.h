#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/block/device.h>
#include <intact/dm/target.h>
#include <intact/json/json.h>
#include <intact/stack/plan.h>

namespace intact::stack {

/// The target of that name. unsupported, with the names of all targets, if there is none.
Result<const dm::Target*> find_target(std::string_view name);

enum class Writing {
  as_files_allow,
  never,
  by_kernel,   ///< never, since the kernel is about to open the same
  by_process,  ///< never, since another process is about to open the same
};

/// An open stack of block devices. Its top is thread-safe and may be shared with front ends.
class Stack {
 public:
  /// A stack without tables: the file as it is, or nothing if it is null.
  explicit Stack(dm::File file, dm::File known_by = {})
      : file_(std::move(file)), known_by_(known_by ? std::move(known_by) : file_) {}

  /// Opens a table; its device becomes the top, and dm:NAME in `names`. `name` is that of the
  /// stack, for the log. `header`: what was probed on the device of its only line. After an error
  /// the stack is unchanged. limit: there are kMaxTables already; otherwise errors of the targets,
  /// with the line if there are several.
  Result<void> open(const dm::Table& table, dm::Names& names, const std::string& name,
                    const dm::Events& events, Writing writing = Writing::as_files_allow,
                    const dm::Header* header = nullptr);
  /// Begins to write to all devices, the lowest first, after the files were made writable. Nothing
  /// else may be called at the same time. busy: two lines would write to one place.
  Result<void> make_writable();
  /// The same of lines that somebody else is about to open for writing.
  Result<void> check_claims() const { return claims_.check(); }
  /// Whether make_writable() would be refused, also for what is on the devices. Writes nothing.
  Result<void> check_make_writable() const;

  /// Adds a device that was opened on top().
  void push(std::string target, std::shared_ptr<block::Device> device);

  std::shared_ptr<block::Device> top() const;
  /// A line about damage that was read, corrected or not; empty without damage.
  std::string summary() const;
  /// The counters of its devices, as the status server sends them: {"pid", "layers": [{"format",
  /// ...}]}, the lowest first. Thread-safe.
  Json status() const;
  /// Whether any device has counters.
  bool has_status() const;
  /// The file whose identity names the status socket; may be null.
  const dm::File& known_by() const { return known_by_; }
  /// The device of each line, in the order of the tables and their lines.
  std::vector<std::shared_ptr<block::Device>> devices() const;
  /// Makes everything written durable and closes all devices, the top first, even after an error;
  /// the first error is returned. Nothing may be written during the call or after it. A stack that
  /// is destroyed without close() leaves the state of a crash.
  Result<void> close();

 private:
  struct Part {
    std::string target;
    std::shared_ptr<block::Device> device;
  };
  dm::File file_;
  dm::File known_by_;
  std::vector<Part> parts_;  // a line each, the lowest table first
  std::size_t tables_ = 0;
  dm::Claims claims_;
  std::shared_ptr<block::Device> top_;
};

/// Opens all tables, or takes the devices that discover() has opened, and checks what can be
/// checked without reading everything: layouts, sizes, the root hash. Errors are those of each
/// target; limit: more than kMaxTables.
Result<Stack> open(Plan& plan, const dm::Events& events, Writing writing = Writing::as_files_allow);

}  // namespace intact::stack
