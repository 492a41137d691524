#pragma once

#include <cstdint>
#include <memory>
#include <optional>
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

/// Starts `serve` in a child and waits until `mountpoint` answers; returns its error.
Result<RootProcess> start_root(const RootServer& serve, std::shared_ptr<const tree::FileTree> tree,
                               const std::string& mountpoint, bool others);

/// A writable file system over `lower`, mounted at `target`. What is written goes to a tmpfs of at
/// most `size` bytes (or, on kernels whose tmpfs cannot keep what a user's overlay needs, to a
/// directory on disk) and is gone with this object or this process. unsupported where the kernel
/// and fuse-overlayfs refuse, or `size` cannot be enforced.
class WritableRoot {
 public:
  static Result<std::unique_ptr<WritableRoot>> mount(const std::string& room,
                                                     const std::string& lower,
                                                     const std::string& target, bool user_namespace,
                                                     std::optional<std::uint64_t> size);
  ~WritableRoot();

 private:
  WritableRoot(std::string target, std::unique_ptr<TempDir> on_disk)
      : target_(std::move(target)), on_disk_(std::move(on_disk)) {}
  std::string target_;
  std::unique_ptr<TempDir> on_disk_;
};

/// Gives each mount of the bundle that does not come from the image a source below `room`:
/// - volumes: mounted there, read-only in all their depth where asked for, so that they stay what
/// the
///   path means now;
/// - copy_up mounts of which `tree` (with its mount points) has something: a tmpfs with a copy;
/// - files with content: written there.
/// Errors: those of the tree, io.
Result<void> stage_mounts(Bundle& bundle, const tree::FileTree& tree, const std::string& room);

}  // namespace intact::run
