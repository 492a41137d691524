#pragma once

#include <memory>
#include <string>

#include <sys/types.h>

#include <intact/base/result.h>
#include <intact/run/container.h>

namespace intact::run {

/// The process that serves the root.
struct RootProcess {
  pid_t pid = -1;
};

/// Starts `serve` in a child and waits until `mountpoint` answers; returns its error.
Result<RootProcess> start_root(const RootServer& serve, std::shared_ptr<const tree::FileTree> tree,
                               const std::string& mountpoint, bool others);

}  // namespace intact::run
