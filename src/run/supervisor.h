#pragma once

#include <intact/run/container.h>

#include "program.h"

namespace intact::run {

/// What the first process of the sandbox has to know.
struct SupervisorTask {
  const ContainerParts* parts = nullptr;
  const RunOptions* options = nullptr;
  std::string id;         ///< of the container
  std::uint32_t uid = 0;  ///< of the account, in the numbers of the host
  bool user_namespace = false;
  /// Signals for the container come from here, one byte each; its end means that the caller died.
  int control_fd = -1;
  /// The kernel's registry of programs, which the sandbox's own /proc does not show.
  std::vector<RegisteredFormat> formats;
  RootAttacher attach_root;  ///< of a root that needs no server; empty: there is none
};

/// The life of a container inside the namespaces: mounts, bundle, server of the root, runtime.
/// Runs as the first process of the process namespace; when it ends the kernel ends all others.
Result<Outcome> supervise(const SupervisorTask& task);

}  // namespace intact::run
