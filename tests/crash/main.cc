// crash_lab: see lab.h. Exit status 77: cannot be done on this machine.
#include <cerrno>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <intact/base/file.h>

#include "lab.h"

namespace intact::crash {

Result<int> run_shell(const std::string& commands, const std::vector<std::string>& variables,
                      const std::string& output) {
  const UniqueFd out = TRY(open_file(output, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  const pid_t child = ::fork();
  if (child < 0) return Error::from_errno("fork", errno);
  if (child == 0) {
    ::dup2(out.get(), STDOUT_FILENO);
    ::dup2(out.get(), STDERR_FILENO);
    for (const std::string& variable : variables) ::putenv(const_cast<char*>(variable.c_str()));
    ::execlp("bash", "bash", "-euo", "pipefail", "-c", commands.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return Error::from_errno("wait", errno);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

namespace {

int run(int argc, char** argv) {
  CLI::App app("Crashes and faults for the tests");
  LabOptions options;
  std::string error_name = "EIO";
  app.require_subcommand(1);
  CLI::App* replay_command = app.add_subcommand("replay");
  CLI::App* inject_command = app.add_subcommand("inject");
  CLI::App* swap_command = app.add_subcommand("swap");
  for (CLI::App* command : {replay_command, inject_command, swap_command}) {
    command->add_option("--root", options.root)->required();
    command->add_option("--check", options.check)->required();
    command->add_option("--most", options.most);
    command->add_option("--seed", options.seed);
    command->add_option("COMMAND", options.command)->required();
  }
  inject_command->add_option("--error", error_name)->check(CLI::IsMember({"EIO", "ENOSPC"}));
  CLI11_PARSE(app, argc, argv);
  const auto result = replay_command->parsed() ? replay(options)
                      : swap_command->parsed()
                          ? swap(options)
                          : inject(options, error_name == "EIO" ? EIO : ENOSPC);
  if (result) return 0;
  fmt::print(stderr, "{}\n", result.error().message());
  return result.error().kind() == ErrorKind::unsupported ? 77 : 1;
}

}  // namespace
}  // namespace intact::crash

int main(int argc, char** argv) {
  return intact::crash::run(argc, argv);
}
