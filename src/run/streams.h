#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

#include "process.h"

namespace intact::run {

/// The stdin, stdout and stderr of a container without a terminal of its own. It never gets the
/// caller's descriptors, only pipes of its own and /dev/null: it could reopen the caller's files
/// and devices for writing through /proc/self/fd, reconfigure the caller's terminal, and hold up a
/// pipe that Intact writes to. Copying processes connect the pipes with the caller's descriptors.
///
/// One object serves all attempts to start the container, so that input that a copier has read is
/// not lost with a runtime that fails.
class ContainerStreams {
 public:
  /// `interactive`: pass stdin; otherwise it is /dev/null. A directory is an invalid argument.
  /// `room` is an own directory in an own mount namespace.
  static Result<ContainerStreams> open(bool interactive, const std::string& room);
  /// Adds the descriptors to `setup`; they stay ours.
  void set(ChildSetup& setup) const;
  /// Closes our ends, waits until all output is copied and ends the copier of input.
  void finish();

 private:
  UniqueFd input_, output_, errors_;  ///< none: closed
  bool errors_to_output_ = false;     ///< both are the same file: one pipe keeps their order
  std::vector<pid_t> output_copiers_;
  pid_t input_copier_ = -1;
};

}  // namespace intact::run
