#include "runtime_process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/text.h>

#include "process.h"
#include "sandbox.h"
#include "streams.h"
#include "terminal.h"

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

class RuntimeProcess {
 public:
  RuntimeProcess(const Runtime& runtime, const RuntimeTask& task)
      : runtime_(runtime),
        task_(task),
        place_{.bundle = room("bundle"),
               .state = room(fmt::format("state/{}", to_string(runtime.kind))),
               .log = room(fmt::format("{}.log", to_string(runtime.kind))),
               .pid_file = room("container.pid"),
               .console_socket = {}} {}

  Result<Attempt> run();

 private:
  std::string room(std::string_view name) const { return task_.room + "/" + std::string(name); }
  Result<void> write_config() const;
  Result<pid_t> start(const ChildSetup& setup);
  /// With runsc, which stays until the container ends.
  Result<int> run_runsc();
  /// runc and crun make the container, and end; its root is looked at before its program begins.
  Result<int> create_and_start();
  /// Of a container that does not run yet: why it must not; empty if it may.
  std::string lacks_guard(pid_t container) const;
  /// Passes signals on until the process ends; its exit status.
  Result<int> wait_for_end(pid_t pid);
  void reap();
  void pass_on(int signal);
  std::optional<pid_t> container_pid() const;

  const Runtime& runtime_;
  const RuntimeTask& task_;
  RuntimePlace place_;
  ChildSetup setup_;
  UniqueFd child_events_;
  std::string version_;
  pid_t signalled_ = -1;         // the process that gets signals
  bool direct_signals_ = false;  // it is the container's, not the runtime's
  bool begun_ = false;           // the container's program, with runc and crun
  std::map<pid_t, int> ended_;   // statuses of children that nobody has asked for yet
  Attempt attempt_;
};

Result<Attempt> RuntimeProcess::run() {
  if (runtime_.kind == RuntimeKind::runsc)
    version_ = TRY(run_and_capture({runtime_.path, "--version"})).output;
  TRY(write_config());
  (void)::unlink(place_.pid_file.c_str());  // of a runtime that was tried before
  const CoveredCgroups covered(task_.host->user_namespace && runtime_.kind == RuntimeKind::crun);

  // Blocked before the child exists, so that its end cannot be missed.
  sigset_t child_signal;
  sigemptyset(&child_signal);
  sigaddset(&child_signal, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child_signal, nullptr);
  child_events_.reset(::signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!child_events_) return Error::from_errno("signalfd", errno);

  setup_ = {.own_process_group = true, .environment = runtime_environment(task_.room)};
  attempt_.status = TRY(runtime_.kind == RuntimeKind::runsc ? run_runsc() : create_and_start());
  if (attempt_.error.empty()) {
    const auto log = read_file(place_.log, kMaxLog);
    attempt_.error = log ? last_error(as_text(*log)) : "";
  }
  // runsc ends with 128 if it could not start the container.
  attempt_.started = runtime_.kind == RuntimeKind::runsc
                         ? attempt_.status != 128 || attempt_.error.empty()
                         : begun_;
  if (!attempt_.started && attempt_.error.empty())
    attempt_.error =
        fmt::format("ended with status {} before it started the container", attempt_.status);
  return std::move(attempt_);
}

Result<void> RuntimeProcess::write_config() const {
  const std::string config = to_text(make_config(*task_.bundle, runtime_.kind, *task_.host));
  const UniqueFd file =
      TRY(open_file(room("bundle/config.json"), O_WRONLY | O_CREAT | O_TRUNC, 0600));
  return write_all(file.get(), as_bytes(config));
}

Result<pid_t> RuntimeProcess::start(const ChildSetup& setup) {
  const Bundle& bundle = *task_.bundle;
  signalled_ = TRY(spawn(run_command(runtime_, place_, bundle.id, bundle.network,
                                     task_.host->user_namespace, version_),
                         setup));
  return signalled_;
}

Result<int> RuntimeProcess::run_runsc() {
  ChildSetup setup = setup_;
  if (!task_.bundle->terminal) {
    task_.streams->set(setup);
    return wait_for_end(TRY(start(setup)));
  }
  // It uses a terminal that we made.
  Terminal terminal = TRY(make_terminal(task_.bundle->terminal_size));
  setup.stdin_fd = setup.stdout_fd = setup.stderr_fd = terminal.slave.get();
  const pid_t pid = TRY(start(setup));
  terminal.slave.reset();
  const pid_t connection = TRY(connect_terminal(std::move(terminal.master)));
  const int status = TRY(wait_for_end(pid));
  wait_for(connection);
  return status;
}

Result<int> RuntimeProcess::create_and_start() {
  ChildSetup quiet = setup_;
  // The runtime writes its messages to the log, and does not get the caller's terminal either.
  const UniqueFd null = TRY(open_file("/dev/null", O_RDWR));
  quiet.stdin_fd = quiet.stdout_fd = quiet.stderr_fd = null.get();
  ChildSetup setup = quiet;
  // It makes a terminal and passes it to us, so that it has the size of the caller's and follows
  // it.
  std::optional<ConsoleSocket> socket;
  if (task_.bundle->terminal) {
    place_.console_socket = room(fmt::format("{}.console", to_string(runtime_.kind)));
    socket = TRY(ConsoleSocket::listen(place_.console_socket));
  } else {
    task_.streams->set(setup);
  }
  const int created = TRY(wait_for_end(TRY(start(setup))));
  const auto container = container_pid();
  if (created != 0 || !container) return created;
  signalled_ = *container;
  direct_signals_ = true;
  attempt_.error = lacks_guard(*container);
  if (!attempt_.error.empty()) {
    ::kill(*container, SIGKILL);
    const int status = TRY(wait_for_end(*container));
    // Another runtime may be tried in the same control group.
    if (!task_.host->user_namespace) remove_cgroups(task_.bundle->id);
    return status;
  }
  pid_t connection = -1;
  if (socket) connection = TRY(connect_terminal(TRY(socket->receive())));
  const int started = TRY(wait_for_end(TRY(spawn(
      start_command(runtime_, place_, task_.bundle->id, task_.host->user_namespace), quiet))));
  begun_ = started == 0;
  // One that has run and ended, or cannot be executed, gets this too.
  if (!begun_) ::kill(*container, SIGKILL);
  const int status = TRY(wait_for_end(*container));
  if (connection > 0) wait_for(connection);
  return begun_ ? status : started;
}

/// The hook may have been left out, or have been run where it has no effect. What counts is the
/// root that the process has.
std::string RuntimeProcess::lacks_guard(pid_t container) const {
  struct statvfs root;
  if (::statvfs(fmt::format("/proc/{}/root/", container).c_str(), &root) != 0)
    return fmt::format("cannot look at the root of the container: {}", std::strerror(errno));
  std::string lacking;
  const auto require = [&](unsigned long flag, const char* name) {
    if ((root.f_flag & flag) == 0) lacking += fmt::format("{}{}", lacking.empty() ? "" : ",", name);
  };
  require(ST_NOSUID, "nosuid");
  require(ST_NODEV, "nodev");
  if (task_.bundle->read_only) require(ST_RDONLY, "ro");
  if (lacking.empty()) return {};
  return fmt::format(
      "the root of the container lacks the mount flags {}, since this runtime "
      "ignores createContainer hooks; nothing was started",
      lacking);
}

std::optional<pid_t> RuntimeProcess::container_pid() const {
  const auto text = read_file(place_.pid_file, 64);
  if (!text) return std::nullopt;
  std::string_view digits = as_text(*text);
  const auto pid = take_number<pid_t>(digits);
  return pid && *pid > 1 ? pid : std::nullopt;
}

void RuntimeProcess::pass_on(int signal) {
  attempt_.signal = signal;
  const auto command = direct_signals_ ? std::vector<std::string>()
                                       : kill_command(runtime_, place_, task_.bundle->id, signal);
  if (command.empty())
    ::kill(signalled_, signal);
  else
    (void)spawn(command, {.own_process_group = true, .environment = setup_.environment});
}

void RuntimeProcess::reap() {
  signalfd_siginfo info;
  while (::read(child_events_.get(), &info, sizeof info) > 0) {
  }
  // As the first process we also inherit every orphan.
  int status = 0;
  for (pid_t child; (child = ::waitpid(-1, &status, WNOHANG)) > 0;) ended_[child] = status;
}

Result<int> RuntimeProcess::wait_for_end(pid_t pid) {
  std::array<pollfd, 3> events = {{{child_events_.get(), POLLIN, 0},
                                   {task_.control_fd, POLLIN, 0},
                                   {task_.kill_fd, POLLIN, 0}}};
  for (;;) {
    if (const auto ended = ended_.find(pid); ended != ended_.end()) {
      const int status = exit_status_of(ended->second);
      ended_.erase(ended);
      return status;
    }
    if (ended_.contains(task_.root_server))
      return Error(ErrorKind::io, "the server of the image died; the container was stopped");
    if (::poll(events.data(), events.size(), -1) < 0 && errno != EINTR)
      return Error::from_errno("poll", errno);
    if ((events[2].revents & POLLIN) != 0)
      return Error(ErrorKind::tampered, "the container read damaged data and was killed");
    if ((events[1].revents & (POLLIN | POLLHUP)) != 0) {
      unsigned char signal = 0;
      if (::recv(task_.control_fd, &signal, 1, 0) <= 0)
        return Error(ErrorKind::cancelled, "the command that runs the container died");
      pass_on(signal);
    }
    reap();
  }
}

}  // namespace

Result<Attempt> run_runtime(const Runtime& runtime, const RuntimeTask& task) {
  return RuntimeProcess(runtime, task).run();
}

}  // namespace intact::run
