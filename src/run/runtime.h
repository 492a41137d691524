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

/// The runtimes in the directories of `search_path` (separated by colons) and the usual system
/// directories, preferred ones first; with `wanted` only that one. not_found when there is none.
Result<std::vector<Runtime>> find_runtimes(std::optional<RuntimeKind> wanted,
                                           std::string_view search_path);

/// Where a runtime works. All paths are absolute and private to one container.
struct RuntimePlace {
  std::string bundle, state, log, pid_file;
  /// Socket that gets the terminal of a container with one; empty without. Not for runsc.
  std::string console_socket;
};

/// The command line that runs the bundle to its end with runsc. The others only make the container,
/// whose process waits for start_command(). `version` is what `runsc --version` prints; other
/// runtimes need none.
std::vector<std::string> run_command(const Runtime& runtime, const RuntimePlace& place,
                                     const std::string& id, Network network, bool user_namespace,
                                     std::string_view version);

/// The command line that lets the container's program begin; not for runsc.
std::vector<std::string> start_command(const Runtime& runtime, const RuntimePlace& place,
                                       const std::string& id, bool user_namespace);

/// The command line that sends the container a signal, where the runtime's own process does not
/// pass on what it gets; empty for the others.
std::vector<std::string> kill_command(const Runtime& runtime, const RuntimePlace& place,
                                      const std::string& id, int signal);

/// The date in a release of runsc, as yyyymmdd; 0 when there is none.
unsigned runsc_date(std::string_view version);

/// The last error in a runtime's log (JSON lines), empty when it wrote none.
std::string last_error(std::string_view log);

/// What a runtime's error says about the container's command: kCannotExecute, kCommandNotFound, or
/// 0 when it is about something else.
int command_status(std::string_view error);

/// Whether a runtime's error is about the working directory.
bool is_about_working_directory(std::string_view error);

/// The status of a process as shells give it: its own, or 128 + the number of the signal.
int exit_status_of(int wait_status);

}  // namespace intact::run
