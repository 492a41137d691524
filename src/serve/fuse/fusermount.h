#pragma once

#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::serve {

/// How a run of fusermount3 ended.
struct FusermountOutcome {
  bool succeeded = false;
  std::string message;  ///< what it wrote to stderr, on one line
  UniqueFd device;      ///< the mounted /dev/fuse, if it sent one
};

/// Runs fusermount3, the set-user-id helper of libfuse that mounts and unmounts for ordinary users,
/// and waits for it. not_found if it is not installed.
Result<FusermountOutcome> run_fusermount(const std::vector<std::string>& arguments);

}  // namespace intact::serve
