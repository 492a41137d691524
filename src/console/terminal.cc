#include "terminal.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <intact/base/file.h>

namespace intact::console {
namespace {

volatile std::sig_atomic_t caught_signal = 0;

void note_signal(int signal) {
  caught_signal = signal;
}

/// Turns echo off and defers the signals that end a program: they are let in only while we wait for
/// a key, so none can arrive between "echo off" and "echo on". The destructor restores everything;
/// a signal that arrived has its usual effect then.
class QuietTerminal {
 public:
  explicit QuietTerminal(int tty) : tty_(tty) {
    caught_signal = 0;
    sigset_t deferred;
    sigemptyset(&deferred);
    struct sigaction action{};
    action.sa_handler = note_signal;
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      sigaddset(&deferred, kSignals[i]);
      ::sigaction(kSignals[i], &action, &actions_before_[i]);
    }
    ::pthread_sigmask(SIG_BLOCK, &deferred, &mask_before_);
    quiet_ = ::tcgetattr(tty_, &terminal_before_) == 0;
    if (!quiet_) return;
    termios silent = terminal_before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_lflag |= ECHONL | ICANON | ISIG;
    // What was typed before, or piped into a terminal of script(1), stays: it may be the end of
    // input, which nobody sends again.
    quiet_ = ::tcsetattr(tty_, TCSADRAIN, &silent) == 0;
  }
  ~QuietTerminal() {
    // After a signal, the beginning of a password must not go to the shell.
    if (quiet_) ::tcsetattr(tty_, caught_signal != 0 ? TCSAFLUSH : TCSADRAIN, &terminal_before_);
    for (std::size_t i = 0; i < kSignals.size(); ++i)
      ::sigaction(kSignals[i], &actions_before_[i], nullptr);
    if (caught_signal != 0) ::raise(caught_signal);
    ::pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
  }
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;

  bool quiet() const { return quiet_; }

  /// One key, or false at the end of input and after a signal.
  Result<bool> read(std::byte& out) {
    for (;;) {
      pollfd ready{.fd = tty_, .events = POLLIN, .revents = 0};
      const int count = ::ppoll(&ready, 1, nullptr, &mask_before_);
      if (caught_signal != 0) return false;
      if (count < 0 && errno != EINTR) return Error::from_errno("terminal", errno);
      if (count <= 0) continue;
      const ssize_t n = ::read(tty_, &out, 1);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Error::from_errno("terminal", errno);
      return n == 1;
    }
  }

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
  const int tty_;
  bool quiet_ = false;
  termios terminal_before_{};
  sigset_t mask_before_{};
  std::array<struct sigaction, kSignals.size()> actions_before_{};
};

}  // namespace

Result<crypto::Secret> ask_secret(std::string_view prompt, std::size_t limit) {
  const auto tty = open_file("/dev/tty", O_RDWR | O_NOCTTY);
  if (!tty)
    return Error(ErrorKind::invalid_argument,
                 "password: no terminal to ask at; pass --password-file or --password-fd");
  crypto::Secret line(limit + 1);
  std::size_t size = 0;
  bool ended = false;
  {
    QuietTerminal terminal(tty->get());
    if (!terminal.quiet())
      return Error(ErrorKind::io, "terminal: cannot turn off the display of what is typed");
    TRY(write_all(tty->get(), as_bytes(prompt)));
    // The whole line is read, or the rest of it would go to the shell.
    for (;;) {
      std::byte key{};
      ended = !TRY(terminal.read(key));
      if (ended || key == std::byte{'\n'}) break;
      if (size < line.size()) line.expose()[size++] = key;
    }
  }
  if (ended) return Error(ErrorKind::cancelled, "password: none was given");
  if (size > limit)
    return Error(ErrorKind::limit, "password: longer than " + std::to_string(limit) + " bytes");
  return crypto::Secret::copy_of(line.expose().first(size));
}

}  // namespace intact::console
