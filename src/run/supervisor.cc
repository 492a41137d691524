#include "supervisor.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include <fmt/format.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/run/bundle.h>
#include <intact/run/mount_points.h>
#include <intact/run/program.h>
#include <intact/run/runtime.h>

#include "process.h"
#include "relay.h"
#include "rootfs.h"
#include "sandbox.h"

namespace intact::run {
namespace {

constexpr std::uint64_t kMaxLog = 4 * 1024 * 1024;

/// What a runtime sees of the caller's environment: next to nothing.
std::vector<std::string> runtime_environment(const std::string& room) {
  std::vector<std::string> environment = {"XDG_RUNTIME_DIR=" + room};
  for (const char* name : {"PATH", "HOME", "TERM"})
    if (const char* value = std::getenv(name))
      environment.push_back(fmt::format("{}={}", name, value));
  return environment;
}

/// How one attempt with a runtime ended.
struct Attempt {
  bool started = false;
  int status = 0;
  int signal = 0;     ///< the last that was passed on
  std::string error;  ///< the runtime's own words, when it did not start
};

class Supervisor {
 public:
  explicit Supervisor(const SupervisorTask& task) : task_(task) {}

  Result<Outcome> run();

 private:
  /// Read-only, with or without a server.
  Result<void> mount_image(const std::string& mountpoint);
  Result<void> mount_without_server(const std::string& mountpoint);
  Result<Attempt> attempt(const Runtime& runtime);
  /// Passes signals on until the runtime's process ends.
  Result<int> wait_for_runtime(pid_t pid, int child_events, const std::function<void(int)>& pass_on,
                               Attempt& attempt);
  std::string room(std::string_view name) const { return room_ + "/" + std::string(name); }

  const SupervisorTask& task_;
  HostFacts host_;
  Bundle bundle_;
  std::string room_;
  RootProcess root_;  // none where nobody serves it
};

Result<Outcome> Supervisor::run() {
  const RunOptions& options = *task_.options;
  const ContainerParts& parts = *task_.parts;
  TRY(prepare_private_mounts(task_.user_namespace));
  const char* path = std::getenv("PATH");
  const auto runtimes = TRY(find_runtimes(options.runtime, path ? path : ""));
  host_ = TRY(collect_host_facts(task_.user_namespace));
  bundle_ = TRY(plan_bundle(*parts.tree, parts.image, options, host_, task_.id));
  for (const auto& warning : bundle_.warnings)
    if (parts.warn) parts.warn(warning);

  std::set<std::string> mounts;
  for (const auto& mount : bundle_.mounts) mounts.insert(mount.destination);
  const auto refused =
      TRY(check_command(*parts.tree, bundle_.arguments.front(), bundle_.environment,
                        bundle_.working_dir, bundle_.user, mounts));
  if (refused)
    return Outcome{refused->status,
                   Error(refused->status == kCommandNotFound ? ErrorKind::not_found : ErrorKind::io,
                         refused->reason)};

  room_ = TRY(make_room(task_.uid));
  for (const char* name : {"bundle", "bundle/rootfs", "image", "state"})
    if (::mkdir(room(name).c_str(), 0700) != 0) return Error::from_errno(room(name), errno);
  const std::string rootfs = room("bundle/rootfs");
  const std::string image = options.writable ? room("image") : rootfs;
  TRY(mount_image(image));
  std::unique_ptr<WritableRoot> writable;
  if (options.writable)
    writable = TRY(WritableRoot::mount(room_, image, rootfs, task_.user_namespace));
  TRY(stage_volumes(bundle_, room_));

  std::string failures;
  for (const auto& runtime : runtimes) {
    const std::string name(to_string(runtime.kind));
    if (auto possible = check_ids(bundle_, runtime.kind, host_); !possible) {
      failures += (failures.empty() ? "" : "; ") + name + ": " + possible.error().message();
      continue;
    }
    const Attempt done = TRY(attempt(runtime));
    if (done.started) return Outcome{done.status, {}};
    if (done.signal != 0) return Outcome{128 + done.signal, {}};
    if (const int status = command_status(done.error); status != 0)
      return Outcome{status,
                     Error(status == kCommandNotFound ? ErrorKind::not_found : ErrorKind::io,
                           name + ": " + done.error)};
    failures += (failures.empty() ? "" : "; ") + name + ": " + done.error;
  }
  return Error(ErrorKind::unsupported, "no container runtime works here: " + failures);
}

Result<void> Supervisor::mount_without_server(const std::string& mountpoint) {
  const ContainerParts& parts = *task_.parts;
  std::string lacking;
  for (const MountPoint& point : bundle_.mount_points) {
    if (TRY(add_mount_points(parts.tree, {point})) != parts.tree) lacking += " " + point.path;
  }
  if (!lacking.empty())
    return Error(ErrorKind::unsupported, "the image has no places to mount these on:" + lacking);
  return task_.attach_root(mountpoint);
}

Result<void> Supervisor::mount_image(const std::string& mountpoint) {
  const ContainerParts& parts = *task_.parts;
  if (task_.attach_root) {
    auto mounted = mount_without_server(mountpoint);
    const bool left_over = !mounted && mounted.error().kind() == ErrorKind::unsupported;
    if (!left_over || !parts.serve) return mounted;
  }
  const auto tree = TRY(add_mount_points(parts.tree, bundle_.mount_points));
  // With one id there is nobody else, and modes for ids that do not exist would only be in the way.
  const bool others = host_.uids.size() > 1 || host_.uids.front().size > 1;
  root_ = TRY(start_root(parts.serve, tree, mountpoint, others));
  return {};
}

Result<Attempt> Supervisor::attempt(const Runtime& runtime) {
  std::string version;
  if (runtime.kind == RuntimeKind::runsc)
    version = TRY(run_and_capture({runtime.path, "--version"})).output;
  const std::string config = to_text(make_config(bundle_, runtime.kind, host_));
  const UniqueFd file =
      TRY(open_file(room("bundle/config.json"), O_WRONLY | O_CREAT | O_TRUNC, 0600));
  TRY(write_all(file.get(), as_bytes(config)));
  const RuntimePlace place{.bundle = room("bundle"),
                           .state = room("state"),
                           .log = room(fmt::format("{}.log", to_string(runtime.kind))),
                           .pid_file = room("container.pid")};
  const CoveredCgroups covered(task_.user_namespace && runtime.kind == RuntimeKind::crun);

  // Blocked before the child exists, so that its end cannot be missed.
  sigset_t child_signal;
  sigemptyset(&child_signal);
  sigaddset(&child_signal, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child_signal, nullptr);
  const UniqueFd child_events(::signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!child_events) return Error::from_errno("signalfd", errno);

  ChildSetup setup{.own_process_group = !task_.share_terminal,
                   .environment = runtime_environment(room_)};
  UniqueFd null;
  if (!task_.options->interactive && !task_.options->terminal) {
    null = TRY(open_file("/dev/null", O_RDONLY));
    setup.stdin_fd = null.get();
  }
  OutputRelay output, errors;
  if (runtime.kind == RuntimeKind::runsc) {
    output = TRY(OutputRelay::start(STDOUT_FILENO));
    errors = TRY(OutputRelay::start(STDERR_FILENO));
    setup.stdout_fd = output.write_fd();
    setup.stderr_fd = errors.write_fd();
  }
  const pid_t pid = TRY(
      spawn(run_command(runtime, place, bundle_.id, bundle_.network, task_.user_namespace, version),
            setup));
  output.let_go();
  errors.let_go();
  const auto pass_on = [&](int signal) {
    const auto command = kill_command(runtime, place, bundle_.id, signal);
    if (command.empty())
      ::kill(pid, signal);
    else
      (void)spawn(command, {.own_process_group = true, .environment = setup.environment});
  };
  Attempt attempt;
  attempt.status = TRY(wait_for_runtime(pid, child_events.get(), pass_on, attempt));
  for (const pid_t relay : {output.pid(), errors.pid()})
    if (relay > 0) wait_for(relay);
  const auto log = read_file(place.log, kMaxLog);
  attempt.error = log ? last_error(as_text(*log)) : "";
  // crun and runc write the file once the process runs; runsc does it before, but ends with 128.
  attempt.started = runtime.kind == RuntimeKind::runsc
                        ? attempt.status != 128 || attempt.error.empty()
                        : ::access(place.pid_file.c_str(), F_OK) == 0;
  if (!attempt.started && attempt.error.empty())
    attempt.error = fmt::format("ended with status {} before it started anything", attempt.status);
  return attempt;
}

Result<int> Supervisor::wait_for_runtime(pid_t pid, int child_events,
                                         const std::function<void(int)>& pass_on,
                                         Attempt& attempt) {
  std::array<pollfd, 2> events = {{{child_events, POLLIN, 0}, {task_.control_fd, POLLIN, 0}}};
  for (;;) {
    if (::poll(events.data(), events.size(), -1) < 0 && errno != EINTR)
      return Error::from_errno("poll", errno);
    if ((events[1].revents & (POLLIN | POLLHUP)) != 0) {
      unsigned char signal = 0;
      if (::recv(task_.control_fd, &signal, 1, 0) <= 0)
        return Error(ErrorKind::cancelled, "the command that runs the container died");
      attempt.signal = signal;
      pass_on(signal);
    }
    if ((events[0].revents & POLLIN) == 0) continue;
    signalfd_siginfo info;
    while (::read(child_events, &info, sizeof info) > 0) {
    }
    // As the first process we are also heir to every orphan.
    int status = 0;
    bool ended = false, root_ended = false;
    int own_status = 0;
    for (pid_t child; (child = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (child == pid) {
        ended = true;
        own_status = exit_status_of(status);
      }
      root_ended |= child == root_.pid;
    }
    if (ended) return own_status;
    if (root_ended)
      return Error(ErrorKind::io, "the server of the image died: the container was stopped");
  }
}

}  // namespace

Result<Outcome> supervise(const SupervisorTask& task) {
  return Supervisor(task).run();
}

}  // namespace intact::run
