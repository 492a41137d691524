#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/run/options.h>

namespace intact::run {

/// An OCI runtime on this machine.
struct Runtime {
  RuntimeKind kind = RuntimeKind::runc;
  std::string path;
};

/// The runtimes in the directories of `search_path` (colons between) and the usual system
/// directories, best first; with `wanted` only that one. not_found when there is none.
Result<std::vector<Runtime>> find_runtimes(std::optional<RuntimeKind> wanted,
                                           std::string_view search_path);

/// Where a runtime works. All paths are absolute and private to one container.
struct RuntimePlace {
  std::string bundle, state, log, pid_file;
};

/// The command line that runs the bundle in the foreground. `version` is what `runsc --version`
/// prints; other runtimes need none.
std::vector<std::string> run_command(const Runtime& runtime, const RuntimePlace& place,
                                     const std::string& id, Network network, bool user_namespace,
                                     std::string_view version);

/// The command line that sends the container a signal, where the runtime's own process does not
/// pass on what it gets; empty for the others.
std::vector<std::string> kill_command(const Runtime& runtime, const RuntimePlace& place,
                                      const std::string& id, int signal);

/// The date in a release of runsc, as yyyymmdd; 0 when there is none.
unsigned runsc_date(std::string_view version);

/// The runtime's own last error in its log (JSON lines), empty when it wrote none.
std::string last_error(std::string_view log);

/// Reads the reason of a runtime that could not execute the container's command: kCannotExecute,
/// kCommandNotFound, or 0 for everything else.
int command_status(std::string_view error);

/// The status of a process as shells give it: its own, or 128 + the number of the signal.
int exit_status_of(int wait_status);

}  // namespace intact::run
