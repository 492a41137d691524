#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/run/bundle.h>
#include <intact/tree/file_tree.h>

namespace intact::run {

/// The statuses that shells use for a command that was not run.
inline constexpr int kCannotExecute = 126;
inline constexpr int kCommandNotFound = 127;

/// Why the container's command cannot be run.
struct CannotRun {
  int status;  ///< kCannotExecute or kCommandNotFound
  std::string reason;
};

/// A format of programs that the kernel was told to run with an interpreter (binfmt_misc): by magic
/// bytes at an offset, or by extension.
struct RegisteredFormat {
  std::size_t offset = 0;
  std::string magic, mask;
  std::string extension;  ///< without the dot; empty: by magic
};

/// One entry of the kernel's registry as it shows it; nothing when it is disabled.
std::optional<RegisteredFormat> parse_registered_format(std::string_view text);

/// The kernel's registry, as far as /proc of the calling process shows it.
std::vector<RegisteredFormat> registered_formats();

/// How programs are judged.
struct ProgramRules {
  std::string machine = "x86_64";  ///< of uname(2)
  std::vector<RegisteredFormat> formats;
};

/// Looks a command up in the tree as execvp(3) would as `user`, before anything is started, and
/// whether the kernel can execute it: programs of other machines, scripts without "#!", missing
/// interpreters and dynamic linkers. Says nothing about commands below one of `hiding_mounts`,
/// which the tree does not show. Errors: those of the tree.
Result<std::optional<CannotRun>> check_command(const tree::FileTree& tree,
                                               const std::string& command,
                                               const std::vector<std::string>& environment,
                                               const std::string& working_dir, const User& user,
                                               const std::set<std::string>& hiding_mounts,
                                               const ProgramRules& rules);

}  // namespace intact::run
