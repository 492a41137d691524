#pragma once

#include <vector>

#include <sys/types.h>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

#include "process.h"

namespace intact::run {

/// The stdin, stdout and stderr of a container without a terminal of its own. It never gets the
/// caller's terminal, which is open for reading and writing and can be reconfigured: pipes and
/// copying processes let it only write output and read input. The same goes for regular files,
/// which a container could read and truncate, and where runsc writes at its own offset. Pipes,
/// sockets, /dev/null and input files that are open for reading only are passed as they are.
class ContainerStreams {
 public:
  /// `interactive`: keep stdin; otherwise it is /dev/null.
  static Result<ContainerStreams> open(bool interactive);
  /// Adds the descriptors to `setup`; they stay ours.
  void set(ChildSetup& setup) const;
  /// Closes our ends once the runtime has its own. The copiers of output end with the last writer.
  void release();
  /// Waits until all output is copied and ends the copier of input.
  void finish();

 private:
  UniqueFd input_, output_, errors_;  ///< none: ours is passed
  bool errors_to_output_ = false;     ///< both are the same file: one pipe keeps their order
  std::vector<pid_t> output_copiers_;
  pid_t input_copier_ = -1;
};

}  // namespace intact::run
