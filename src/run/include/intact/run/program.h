#pragma once

#include <set>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/run/user.h>
#include <intact/tree/file_tree.h>

namespace intact::run {

/// The statuses by which shells tell that a command was not run.
inline constexpr int kCannotExecute = 126;
inline constexpr int kCommandNotFound = 127;

/// Why the container's command cannot be run.
struct CannotRun {
  int status;  ///< kCannotExecute or kCommandNotFound
  std::string reason;
};

/// Looks a command up in the tree as execvp(3) would as `user`, before anything is started. Says
/// nothing about commands below one of `mounts`, which the tree does not show, and does not
/// guess where the kernel knows better (foreign binaries). Errors: those of the tree.
Result<std::optional<CannotRun>> check_command(const tree::FileTree& tree,
                                               const std::string& command,
                                               const std::vector<std::string>& environment,
                                               const std::string& working_dir, const User& user,
                                               const std::set<std::string>& mounts);

}  // namespace intact::run
