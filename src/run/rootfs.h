#pragma once

#include <memory>
#include <string>

#include <sys/types.h>

#include <intact/base/file.h>
#include <intact/base/result.h>
#include <intact/run/bundle.h>
#include <intact/run/container.h>

namespace intact::run {

/// The process that serves the root.
struct RootProcess {
  pid_t pid = -1;
};

/// Starts parts.serve in a child and waits until `mountpoint` answers; its error is ours.
Result<RootProcess> start_root(const RootServer& serve, std::shared_ptr<const tree::FileTree> tree,
                               const std::string& mountpoint, bool others);

/// A writable file system over `lower`, mounted at `target`; what is written goes to a tmpfs (or,
/// on kernels whose tmpfs cannot keep what a user's overlay needs, to a directory on disk) and is
/// gone with this object or this process.
class WritableRoot {
 public:
  static Result<std::unique_ptr<WritableRoot>> mount(const std::string& room,
                                                     const std::string& lower,
                                                     const std::string& target,
                                                     bool user_namespace);
  ~WritableRoot();

 private:
  WritableRoot(std::string target, std::unique_ptr<TempDir> on_disk)
      : target_(std::move(target)), on_disk_(std::move(on_disk)) {}
  std::string target_;
  std::unique_ptr<TempDir> on_disk_;
};

/// Mounts the source of each volume of the bundle somewhere below `room` and makes that its source:
/// read-only in all its depth where asked for, and what the path meant now, whatever becomes of it.
Result<void> stage_volumes(Bundle& bundle, const std::string& room);

}  // namespace intact::run
