#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/run/options.h>
#include <intact/tree/file_tree.h>

namespace intact::run {

/// Mounts a tree at a directory and serves it until the process is killed. Writes one byte to
/// `ready_fd`, which it owns, when the mount answers. Runs in its own process, inside the private
/// mount namespace; nobody else sees the mount. `others`: processes of several users will read it,
/// so that the modes of the files must be enforced.
using RootServer =
    std::function<Result<void>(std::shared_ptr<const tree::FileTree> tree,
                               const std::string& mountpoint, bool others, int ready_fd)>;

/// Attaches a mount that has been made, once. Called inside the private mount namespace, with which
/// the mount ends.
using RootAttacher = std::function<Result<void>(const std::string& mountpoint)>;
/// Makes a mount of the same tree that needs no process to serve it: read-only, not attached yet.
/// Called in another process than the caller's, in the caller's namespaces, which own the mounts
/// that it is made of. Empty: a server has to do it.
using RootMounter = std::function<Result<RootAttacher>()>;

struct ContainerParts {
  std::shared_ptr<const tree::FileTree> tree;
  ProcessImage image;
  /// One of the two may be empty. `mount` comes first; what it leaves to a server, or does not
  /// support when it is attached, and a tree that lacks places to mount on, which `serve` can add,
  /// are left to `serve`.
  RootMounter mount;
  RootServer serve;
  /// Gets a line for the user. Called in another process than the caller's.
  std::function<void(std::string_view)> warn;
  /// Whether damage has been found in the image, by any process. May be empty.
  std::function<bool()> damaged;
  /// A descriptor that becomes readable when the container is to be killed because of damage; -1:
  /// never.
  int kill_fd = -1;
};

/// How a container ended.
struct Outcome {
  /// The status to exit with: the container's, 128 + signal, or 126 and 127.
  int status = 0;
  /// Set when the command was not run (126, 127), with the reason.
  std::optional<Error> failure;
};

/// Runs a container in the foreground. Its stdin (if asked for), stdout and stderr are connected
/// with the caller's; it never has the caller's terminal itself. Signals are passed on. Everything
/// is made in mount, process and (for ordinary users) user namespaces of its own, whose first
/// process dies with the caller: whichever process is killed, the kernel then ends the container
/// and detaches every mount.
///
/// The caller must have one thread only and should do nothing else meanwhile: signals are blocked
/// for the time. Errors: unsupported (the system lacks what is needed; says what), not_found,
/// invalid_argument, tampered, untouched errors of the tree, io.
Result<Outcome> run_container(const ContainerParts& parts, const RunOptions& options);

}  // namespace intact::run
