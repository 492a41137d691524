#pragma once

#include <sys/types.h>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::run {

/// Stands between runsc and an output that is a regular file: its sandbox writes there at an offset
/// of its own that begins with 0, over what is in the file. Through a pipe and a copying process
/// of ours the bytes go where they belong.
class OutputRelay {
 public:
  /// Does nothing unless `fd` is a regular file.
  static Result<OutputRelay> start(int fd);
  /// What to give to the runtime; -1: `fd` itself.
  int write_fd() const { return write_end_.get(); }
  /// Closes our end once the runtime has its own. The copying process ends with the last writer.
  void let_go() { write_end_.reset(); }
  pid_t pid() const { return pid_; }  ///< -1: none

 private:
  UniqueFd write_end_;
  pid_t pid_ = -1;
};

}  // namespace intact::run
