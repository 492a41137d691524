#include "terminal.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <intact/base/file.h>

#include "process.h"

namespace intact::run {
namespace {

void set_size(int terminal, const TerminalSize& size) {
  if (size.rows == 0 || size.columns == 0) return;
  winsize value = {};
  value.ws_row = static_cast<unsigned short>(size.rows);
  value.ws_col = static_cast<unsigned short>(size.columns);
  ::ioctl(terminal, TIOCSWINSZ, &value);
}

/// The copying process. It buffers what was typed and not yet read, so that a program that reads
/// nothing does not block its own output.
class Connection {
 public:
  explicit Connection(int master) : master_(master) {
    sigset_t resized;
    sigemptyset(&resized);
    sigaddset(&resized, SIGWINCH);
    ::sigprocmask(SIG_BLOCK, &resized, nullptr);
    signals_.reset(::signalfd(-1, &resized, SFD_CLOEXEC));
    ::fcntl(master_, F_SETFL, O_NONBLOCK);
    termios state;
    if (::tcgetattr(STDIN_FILENO, &state) == 0) {
      ::cfmakeraw(&state);
      ::tcsetattr(STDIN_FILENO, TCSANOW, &state);
    }
    set_size(master_, caller_terminal_size());
  }

  int run() {
    for (;;) {
      const short master_events = static_cast<short>(typed_.empty() ? POLLIN : POLLIN | POLLOUT);
      std::array<pollfd, 3> events = {
          {{typed_.empty() && !input_ended_ ? STDIN_FILENO : -1, POLLIN, 0},
           {master_, master_events, 0},
           {signals_.get(), POLLIN, 0}}};
      if (::poll(events.data(), events.size(), -1) < 0 && errno != EINTR) return 1;
      if ((events[2].revents & POLLIN) != 0) resize();
      if ((events[1].revents & POLLOUT) != 0) pass_typed();
      if ((events[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !pass_output()) return 0;
      if ((events[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) read_typed();
    }
  }

 private:
  void resize() const {
    signalfd_siginfo info;
    if (::read(signals_.get(), &info, sizeof info) == sizeof info)
      set_size(master_, caller_terminal_size());
  }

  void read_typed() {
    const ssize_t count = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
    if (count > 0)
      typed_.assign(buffer_.data(), static_cast<std::size_t>(count));
    else if (count == 0 || errno != EINTR)
      input_ended_ = true;
    pass_typed();
  }

  void pass_typed() {
    if (typed_.empty()) return;
    const ssize_t count = ::write(master_, typed_.data(), typed_.size());
    if (count > 0) typed_.erase(0, static_cast<std::size_t>(count));
  }

  /// False at the end: the last slave has been closed, or nobody takes the output any more.
  bool pass_output() {
    const ssize_t count = ::read(master_, buffer_.data(), buffer_.size());
    if (count < 0) return errno == EINTR || errno == EAGAIN;
    if (count == 0) return false;
    return write_all(STDOUT_FILENO,
                     as_bytes(std::string_view(buffer_.data(), static_cast<std::size_t>(count))))
        .has_value();
  }

  int master_;
  UniqueFd signals_;
  std::string typed_;
  bool input_ended_ = false;
  std::array<char, 16 * 1024> buffer_;
};

}  // namespace

TerminalSize caller_terminal_size() {
  winsize size = {};
  if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0) return {};
  return {size.ws_row, size.ws_col};
}

Result<ConsoleSocket> ConsoleSocket::listen(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error(ErrorKind::unsupported, path + ": too long for the path of a socket");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ConsoleSocket socket;
  socket.listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::unlink(path.c_str());
  if (!socket.listener_ ||
      ::bind(socket.listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.listener_.get(), 1) != 0)
    return Error::from_errno(path, errno);
  return socket;
}

Result<UniqueFd> ConsoleSocket::receive() const {
  const Error missing(ErrorKind::io, "the runtime did not pass the container's terminal");
  pollfd event = {listener_.get(), POLLIN, 0};
  if (::poll(&event, 1, 1000) != 1) return missing;
  const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection) return Error::from_errno("console socket", errno);
  char text[4096];
  iovec data = {text, sizeof text};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(connection.get(), &message, MSG_CMSG_CLOEXEC) < 0)
    return Error::from_errno("console socket", errno);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(sizeof(int)))
    return missing;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return UniqueFd(fd);
}

Result<Terminal> make_terminal(TerminalSize size) {
  Terminal terminal;
  terminal.master.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  char name[64];
  if (!terminal.master || ::grantpt(terminal.master.get()) != 0 ||
      ::unlockpt(terminal.master.get()) != 0 ||
      ::ptsname_r(terminal.master.get(), name, sizeof name) != 0)
    return Error::from_errno("make a terminal", errno);
  terminal.slave = TRY(open_file(name, O_RDWR | O_NOCTTY));
  set_size(terminal.master.get(), size);
  return terminal;
}

Result<pid_t> connect_terminal(UniqueFd master) {
  return fork_child(Lifetime::ends_with_us, [&]() -> int {
    for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP}) std::signal(signal, SIG_IGN);
    return Connection(master.get()).run();
  });
}

}  // namespace intact::run
