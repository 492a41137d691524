#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/serve/nbdkit.h>

namespace intact::serve {
namespace {

constexpr int kPatience = 10'000;             // milliseconds
constexpr std::uint64_t kMaxWords = 1 << 20;  // bytes of a command line

/// Who listens at the socket. The kernel remembers it from listen(2), which become_nbdkit() is
/// called after in the same process.
Result<ucred> listener_at(const std::string& socket) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return Error::from_errno("socket", errno);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (socket.size() >= sizeof address.sun_path)
    return Error(ErrorKind::invalid_argument, socket + ": too long for the path of a socket");
  std::memcpy(address.sun_path, socket.c_str(), socket.size() + 1);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    // Nobody takes the connections that wait; that may be another user's doing.
    if (errno == EAGAIN) return Error(ErrorKind::busy, socket + ": the server does not answer");
    if (errno != ECONNREFUSED) return Error::from_errno(socket, errno);
    return Error(ErrorKind::not_found, socket + ": no server listens there");
  }
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return Error::from_errno(socket, errno);
  return credentials;
}

/// Whether the process runs as that user. The one that listened may have ended, its number taken by
/// a process of somebody else. (The owner of /proc/PID is root where memory is kept from dumps.)
bool runs_as(pid_t pid, uid_t user) {
  const auto bytes = read_file(fmt::format("/proc/{}/status", pid), kMaxWords);
  return bytes && as_text(*bytes).find(fmt::format("\nUid:\t{}\t{}\t", user, user)) !=
                      std::string_view::npos;
}

/// Whether the process is one that become_nbdkit() has made.
bool is_our_server(pid_t pid) {
  const auto bytes = read_file(fmt::format("/proc/{}/cmdline", pid), kMaxWords);
  if (!bytes) return false;
  constexpr std::string_view kProgram("nbdkit\0", 7);
  constexpr std::string_view kStack("\0stack-fd=", 10);
  const std::string_view words = as_text(*bytes);
  return words.starts_with(kProgram) && words.find(kStack) != std::string_view::npos;
}

}  // namespace

bool is_socket(const std::string& path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
}

Result<void> end_nbd_server(const std::string& socket) {
  const ucred listener = TRY(listener_at(socket));
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, listener.pid, 0)));
  const bool is_ours = (listener.uid == ::geteuid() || ::geteuid() == 0) && process;
  if (!is_ours || !runs_as(listener.pid, listener.uid) || !is_our_server(listener.pid))
    return Error(ErrorKind::not_found,
                 socket + ": the server that listens there is not one of `intact ... open --nbd`");
  if (::syscall(SYS_pidfd_send_signal, process.get(), SIGTERM, nullptr, 0) != 0 && errno != ESRCH)
    return Error::from_errno(socket, errno);
  pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
  int count;
  do count = ::poll(&ended, 1, kPatience);
  while (count < 0 && errno == EINTR);
  if (count > 0) return {};
  return Error(ErrorKind::busy,
               fmt::format("{}: the server (process {}) has not ended; disconnect its clients",
                           socket, listener.pid));
}

}  // namespace intact::serve
