#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <intact/base/unique_fd.h>
#include <intact/run/container.h>

#include "id_maps.h"
#include "message.h"
#include "process.h"
#include "sandbox.h"
#include "supervisor.h"

namespace intact::run {
namespace {

// What people and service managers send to a command, meant for its container.
constexpr std::array kForwarded = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

// From the sandbox's first process: it has a user namespace without ids, and waits for them.
constexpr char kMapIds = 'M';

Result<std::string> make_id() {
  std::array<std::byte, 6> random;
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return Error::from_errno("getrandom", errno);
  return "intact-" + to_hex(random);
}

struct Pair {
  UniqueFd ours, theirs;
};

Result<Pair> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno("pipe", errno);
  return Pair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<Pair> make_socket() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return Error::from_errno("socketpair", errno);
  return Pair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// Blocks the signals that are to be passed on, and restores the old mask at the end.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : kForwarded) sigaddset(&set, signal);
    ::sigprocmask(SIG_BLOCK, &set, &old_);
    fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC));
  }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
  ~BlockedSignals() { ::sigprocmask(SIG_SETMASK, &old_, nullptr); }
  int fd() const { return fd_.get(); }

 private:
  sigset_t old_;
  UniqueFd fd_;
};

/// Restores the caller's terminal, in whatever mode a process that was killed left it.
class SavedTerminal {
 public:
  explicit SavedTerminal(bool save) : saved_(save && ::tcgetattr(STDIN_FILENO, &state_) == 0) {}
  SavedTerminal(const SavedTerminal&) = delete;
  SavedTerminal& operator=(const SavedTerminal&) = delete;
  ~SavedTerminal() {
    if (saved_) ::tcsetattr(STDIN_FILENO, TCSANOW, &state_);
  }

 private:
  termios state_ = {};
  bool saved_;
};

/// The process between the caller and the supervisor. It makes the namespaces: the first child
/// after unshare(CLONE_NEWPID) is the one whose end ends them.
Result<void> enter_and_supervise(SupervisorTask task, const IdMapPlan& ids, int report) {
  if (task.user_namespace) {
    if (::unshare(CLONE_NEWUSER) != 0)
      return Error(ErrorKind::unsupported,
                   std::string("cannot make a user namespace: ") + std::strerror(errno) +
                       "; ask the administrator to allow it, or run as root",
                   errno);
    if (ids.more_uids) {
      char answer = 0;
      if (::send(task.control_fd, &kMapIds, 1, 0) != 1 ||
          ::recv(task.control_fd, &answer, 1, 0) != 1 || answer != kMapIds)
        return Error(ErrorKind::cancelled, "no ids for the user namespace");
    } else {
      TRY(map_ids_from_inside(ids));
    }
  }
  if (task.parts->mount) task.attach_root = TRY(task.parts->mount());
  TRY(make_private_namespaces());
  const pid_t first = TRY(fork_child(Lifetime::ends_with_us, [&]() -> int {
    auto outcome = supervise(task);
    if (outcome)
      send_outcome(report, *outcome);
    else
      send_error(report, outcome.error());
    return 0;
  }));
  // If the caller dies, the other end of the socket closes, and everything ends. This process lives
  // longest, to clean up what the kernel does not.
  const UniqueFd end(static_cast<int>(::syscall(SYS_pidfd_open, first, 0)));
  std::array<pollfd, 2> events = {{{end.get(), POLLIN, 0}, {task.control_fd, 0, 0}}};
  while (end && ::poll(events.data(), events.size(), -1) < 0 && errno == EINTR) {
  }
  if ((events[1].revents & POLLHUP) != 0) ::kill(first, SIGKILL);
  wait_for(first);
  if (!task.user_namespace) remove_cgroups(task.id);
  return {};
}

/// Passes signals on until the other side reports how the container ended.
Result<void> attend(int signals, int control, int report, const IdMapPlan& ids, pid_t child) {
  std::array<pollfd, 3> events = {
      {{signals, POLLIN, 0}, {report, POLLIN, 0}, {control, POLLIN, 0}}};
  for (;;) {
    if (::poll(events.data(), events.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return Error::from_errno("poll", errno);
    }
    if ((events[1].revents & (POLLIN | POLLHUP)) != 0) return {};
    if ((events[0].revents & POLLIN) != 0) {
      signalfd_siginfo info;
      if (::read(signals, &info, sizeof info) == sizeof info) {
        const auto number = static_cast<unsigned char>(info.ssi_signo);
        (void)::send(control, &number, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
      }
    }
    if ((events[2].revents & POLLIN) != 0) {
      char request = 0;
      if (::recv(control, &request, 1, MSG_DONTWAIT) == 1 && request == kMapIds) {
        TRY(map_ids_from_outside(ids, child));
        (void)::send(control, &kMapIds, 1, MSG_NOSIGNAL);
      }
    }
    if ((events[2].revents & POLLHUP) != 0) events[2].fd = -1;
  }
}

}  // namespace

Result<Outcome> run_container(const ContainerParts& parts, const RunOptions& options) {
  if (count_threads() != 1)
    return Error(ErrorKind::invalid_argument, "a container must be run from a single thread");
  if (options.terminal && ::isatty(STDIN_FILENO) != 1)
    return Error(ErrorKind::invalid_argument, "--tty: stdin is not a terminal");
  SupervisorTask task{.parts = &parts,
                      .options = &options,
                      .id = TRY(make_id()),
                      .uid = ::geteuid(),
                      .user_namespace = !is_privileged(),
                      .control_fd = -1,
                      .formats = registered_formats()};
  const IdMapPlan ids = task.user_namespace ? plan_id_maps() : IdMapPlan{};
  Pair report = TRY(make_pipe());
  Pair control = TRY(make_socket());
  const SavedTerminal terminal(options.terminal);
  const BlockedSignals signals;

  const pid_t child = TRY(fork_child(Lifetime::own, [&]() -> int {
    control.ours.reset();
    report.ours.reset();
    task.control_fd = control.theirs.get();
    auto done = enter_and_supervise(task, ids, report.theirs.get());
    if (!done) send_error(report.theirs.get(), done.error());
    return 0;
  }));
  control.theirs.reset();
  report.theirs.reset();
  auto attended = attend(signals.fd(), control.ours.get(), report.ours.get(), ids, child);
  if (!attended) {
    ::kill(child, SIGKILL);
    wait_for(child);
    return std::move(attended).error();
  }
  auto message = receive_message(report.ours.get());
  wait_for(child);
  if (!message)
    return Error(ErrorKind::cancelled, "the process that supervises the container was killed");
  if (message->outcome) return std::move(*message->outcome);
  return std::move(*message->error);
}

}  // namespace intact::run
