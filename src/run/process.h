#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <intact/base/result.h>

namespace intact::run {

/// The path of a program in the absolute directories of `search_path` (separated by colons) and
/// then in those of the system, sbin included, which ordinary users do not search; empty when not
/// found.
std::string find_in_path(std::string_view name, std::string_view search_path);
/// The same with $PATH.
std::string find_executable(std::string_view name);

struct ChildSetup {
  int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1;  ///< -1: as ours
  bool own_process_group = false;
  std::vector<std::string> environment;
};

/// Forks and executes a program with default signal handling and only descriptors 0 to 2. It is
/// killed when the calling process dies. An exec that fails ends the child with 127.
Result<pid_t> spawn(const std::vector<std::string>& command, const ChildSetup& setup);

struct Captured {
  int status = 0;      ///< as exit_status_of()
  std::string output;  ///< stdout, at most 64 KiB
};

/// Runs a helper program to its end with stdin from /dev/null; stderr is ours.
Result<Captured> run_and_capture(const std::vector<std::string>& command);

enum class Lifetime {
  ends_with_us,  ///< killed when we die
  own,
};

/// Forks a child that runs `body` and exits with what it returns.
Result<pid_t> fork_child(Lifetime lifetime, const std::function<int()>& body);

/// waitpid(2) for one child until it ends; the wait status, or -1 without such a child.
int wait_for(pid_t child);

/// Number of threads of this process.
std::size_t count_threads();

}  // namespace intact::run
