#include "runtime.h"

#include <algorithm>
#include <cctype>

#include <sys/wait.h>
#include <unistd.h>

#include <intact/base/text.h>
#include <intact/json/json.h>

#include "process.h"
#include "program.h"

namespace intact::run {
namespace {

// The release of runsc that made systrap its default; older ones know only ptrace and kvm.
constexpr unsigned kSystrapSince = 20230501;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

Result<std::vector<Runtime>> find_runtimes(std::optional<RuntimeKind> wanted,
                                           std::string_view search_path) {
  std::vector<Runtime> found;
  for (const auto kind : {RuntimeKind::crun, RuntimeKind::runc, RuntimeKind::runsc}) {
    if (wanted && *wanted != kind) continue;
    if (std::string path = find_in_path(to_string(kind), search_path); !path.empty())
      found.push_back({kind, std::move(path)});
  }
  if (found.empty())
    return Error(ErrorKind::not_found,
                 wanted ? "runtime " + std::string(to_string(*wanted)) + ": not installed"
                        : std::string("no container runtime found; install crun, runc or runsc"));
  return found;
}

unsigned runsc_date(std::string_view version) {
  // "runsc version release-20240729.0", "runsc version 0.0~20221219.0"
  for (std::size_t i = 0; i < version.size();) {
    if (!std::isdigit(static_cast<unsigned char>(version[i]))) {
      ++i;
      continue;
    }
    std::size_t end = i;
    unsigned number = 0;
    while (end < version.size() && end - i < 9 &&
           std::isdigit(static_cast<unsigned char>(version[end])))
      number = number * 10 + static_cast<unsigned>(version[end++] - '0');
    if (end - i == 8 && number >= 20180101) return number;
    i = end;
  }
  return 0;
}

namespace {

/// The runtime and the options that are before its verb. `version`: of runsc.
std::vector<std::string> with_options(const Runtime& runtime, const RuntimePlace& place,
                                      Network network, bool user_namespace,
                                      std::string_view version) {
  std::vector<std::string> command = {runtime.path, "--root", place.state, "--log-format", "json"};
  const auto add = [&](std::initializer_list<std::string> more) {
    command.insert(command.end(), more);
  };
  switch (runtime.kind) {
    case RuntimeKind::crun:
      add({"--log", "file:" + place.log});
      if (user_namespace) add({"--cgroup-manager", "disabled"});
      break;
    case RuntimeKind::runc:
      add({"--log", place.log});
      // This ignores errors about control groups, which users may not change.
      if (user_namespace) add({"--rootless", "true"});
      break;
    case RuntimeKind::runsc:
      add({"--log", place.log, "--ignore-cgroups",
           network == Network::host ? "--network=host" : "--network=none"});
      if (user_namespace) add({"--rootless"});
      if (const unsigned date = runsc_date(version); date != 0 && date < kSystrapSince)
        add({"--platform=ptrace"});
      break;
  }
  return command;
}

}  // namespace

std::vector<std::string> run_command(const Runtime& runtime, const RuntimePlace& place,
                                     const std::string& id, Network network, bool user_namespace,
                                     std::string_view version) {
  auto command = with_options(runtime, place, network, user_namespace, version);
  for (const std::string& word :
       {std::string(runtime.kind == RuntimeKind::runsc ? "run" : "create"), std::string("--bundle"),
        place.bundle, std::string("--pid-file"), place.pid_file})
    command.push_back(word);
  if (!place.console_socket.empty()) {
    command.emplace_back("--console-socket");
    command.push_back(place.console_socket);
  }
  command.push_back(id);
  return command;
}

std::vector<std::string> start_command(const Runtime& runtime, const RuntimePlace& place,
                                       const std::string& id, bool user_namespace) {
  auto command = with_options(runtime, place, Network::none, user_namespace, "");
  command.emplace_back("start");
  command.push_back(id);
  return command;
}

std::vector<std::string> kill_command(const Runtime& runtime, const RuntimePlace& place,
                                      const std::string& id, int signal) {
  // SIGTERM ends `runsc run` itself, and the container with it, without telling the container.
  if (runtime.kind != RuntimeKind::runsc) return {};
  return {runtime.path, "--root", place.state,           "--ignore-cgroups",
          "kill",       id,       std::to_string(signal)};
}

std::string last_error(std::string_view log) {
  std::string found;
  while (!log.empty()) {
    const std::string_view line = take_until(log, '\n');
    if (line.empty()) continue;
    const auto json = parse_json(line, {.bytes = 64 * 1024, .depth = 8, .values = 1000});
    if (!json || !json->is_object()) continue;
    const auto level = optional_string(*json, "level");
    const auto message = optional_string(*json, "msg");
    if (!level || !message || !*level || !*message) continue;
    if (**level == "error" || **level == "fatal") found = **message;
  }
  return found;
}

int command_status(std::string_view error) {
  // runc: `exec: "x": executable file not found in $PATH`, `exec: "/x": stat /x: no such file`
  // crun: "executable file `x` not found in $PATH", "open executable: Permission denied"
  // runsc: `error finding executable "x" in PATH`, "failed to load /x: permission denied"
  const bool about_command = contains(error, "exec: \"") || contains(error, "executable") ||
                             contains(error, "failed to load /");
  if (!about_command) return 0;
  std::string lower(error);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (contains(lower, "not found") || contains(lower, "no such file") ||
      contains(lower, "finding executable"))
    return kCommandNotFound;
  if (contains(lower, "permission denied") || contains(lower, "not permitted") ||
      contains(lower, "exec format") || contains(lower, "is a directory"))
    return kCannotExecute;
  return 0;
}

bool is_about_working_directory(std::string_view error) {
  // crun: "chdir `/x`: Permission denied"; runc: `chdir to cwd ("/x") set in config.json failed`
  return contains(error, "chdir") || contains(error, "set in config.json");
}

int exit_status_of(int wait_status) {
  if (WIFEXITED(wait_status)) return WEXITSTATUS(wait_status);
  if (WIFSIGNALED(wait_status)) return 128 + WTERMSIG(wait_status);
  return 255;
}

}  // namespace intact::run
