#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/base/thread.h>
#include <intact/service/status_server.h>

#include "runtime_files.h"

namespace intact::service {
namespace {

constexpr std::string_view kStart = "status-";
constexpr std::string_view kEnd = ".sock";
// What a socket is called until it listens.
constexpr std::string_view kEarly = ".status-";
constexpr std::size_t kMaxText = 1 << 16;  // bytes
constexpr timeval kPatience{.tv_sec = 1, .tv_usec = 0};
constexpr std::chrono::milliseconds kRetry(100);
// For all servers together: they may be another user's, who may be hostile.
constexpr std::chrono::seconds kAskingTime(2);
using Clock = std::chrono::steady_clock;

/// By which servers and those who ask know the same file.
Result<std::string> identity_of(int fd) {
  struct stat st;
  if (::fstat(fd, &st) != 0) return Error::from_errno("fstat", errno);
  if (S_ISBLK(st.st_mode))
    return fmt::format("{}b{}:{}-", kStart, major(st.st_rdev), minor(st.st_rdev));
  return fmt::format("{}{}:{}:{}-", kStart, major(st.st_dev), minor(st.st_dev), st.st_ino);
}

/// The place of a socket, however long the name of its directory is.
sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::memcpy(address.sun_path, path.c_str(), std::min(path.size() + 1, sizeof address.sun_path));
  return address;
}

Result<UniqueFd> make_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return Error::from_errno("socket", errno);
  for (const int option : {SO_SNDTIMEO, SO_RCVTIMEO})
    ::setsockopt(fd.get(), SOL_SOCKET, option, &kPatience, sizeof kPatience);
  return fd;
}

Result<UniqueFd> connect_to(int dir, const std::string& name) {
  // Neither the target of a link nor what somebody has mounted there.
  const UniqueFd place = TRY(open_own_file(dir, name, O_PATH));
  UniqueFd fd = TRY(make_socket());
  const sockaddr_un address = address_of(fmt::format("/proc/self/fd/{}", place.get()));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return Error::from_errno(name, errno);
  return fd;
}

/// The names of the sockets in a directory that begin and end so.
std::vector<std::string> sockets_in(int dir, std::string_view start, std::string_view end = kEnd) {
  auto names = list_names(dir);
  if (!names) return {};
  std::erase_if(*names, [&](const std::string& name) {
    return !name.starts_with(start) || !name.ends_with(end);
  });
  return std::move(*names);
}

/// Also the sockets that never got so far as to listen. A live server has such a one for a moment,
/// and the directory locked.
void remove_dead_sockets(int dir) {
  if (::flock(dir, LOCK_EX | LOCK_NB) == 0) {
    for (const std::string& name : sockets_in(dir, kEarly, "")) ::unlinkat(dir, name.c_str(), 0);
  }
  for (const std::string& name : sockets_in(dir, kStart))
    if (const auto server = connect_to(dir, name);
        !server && server.error().sys_errno() == ECONNREFUSED)
      ::unlinkat(dir, name.c_str(), 0);
}

/// What the server sends until it closes the connection; empty if it takes too long.
std::string receive(int server, Clock::time_point deadline) {
  std::string text;
  char buffer[4096];
  while (text.size() <= kMaxText) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd event{server, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&event, 1, static_cast<int>(left.count())) <= 0) return {};
    const ssize_t count = ::recv(server, buffer, sizeof buffer, MSG_DONTWAIT);
    if (count == 0) return text;
    if (count < 0) return {};
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return {};
}

void ask(int dir, int fd, Clock::time_point deadline, std::vector<std::string>& answers) {
  const auto identity = identity_of(fd);
  if (!identity) return;
  for (const std::string& name : sockets_in(dir, *identity)) {
    if (Clock::now() >= deadline) return;
    const auto server = connect_to(dir, name);
    if (!server) continue;
    if (std::string text = receive(server->get(), deadline); !text.empty())
      answers.push_back(std::move(text));
  }
}

}  // namespace

Result<std::unique_ptr<StatusServer>> StatusServer::start(const std::string& dir, int known_by,
                                                          Text text) {
  std::unique_ptr<StatusServer> server(new StatusServer(std::move(text)));
  server->dir_ = TRY(open_file(dir, O_RDONLY | O_DIRECTORY));
  remove_dead_sockets(server->dir_.get());
  // In place of the lock for removing, or after that of another server.
  if (::flock(server->dir_.get(), LOCK_SH) != 0)
    return Error::from_errno("cannot lock " + dir, errno);
  UniqueFd listener = TRY(make_socket());
  // It gets its name when it listens: one that does not is taken for one that was left.
  const std::string early = fmt::format("{}{}", kEarly, ::getpid());
  const sockaddr_un address =
      address_of(fmt::format("/proc/self/fd/{}/{}", server->dir_.get(), early));
  std::string name = fmt::format("{}{}{}", TRY(identity_of(known_by)), ::getpid(), kEnd);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), SOMAXCONN) != 0 ||
      ::renameat(server->dir_.get(), early.c_str(), server->dir_.get(), name.c_str()) != 0)
    return Error::from_errno("cannot make a socket in " + dir, errno);
  ::flock(server->dir_.get(), LOCK_UN);
  server->name_ = std::move(name);
  server->listener_ = std::move(listener);
  server->thread_ = TRY(start_thread([own = server.get()] { own->serve(); }));
  return server;
}

void StatusServer::serve() {
  for (;;) {
    const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client) {
      ::setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
      const std::string text = text_();
      (void)::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL);
    } else if (errno == EINVAL || errno == EBADF) {
      return;  // shut down
    } else if (errno != EINTR && errno != ECONNABORTED) {
      std::this_thread::sleep_for(kRetry);  // no descriptors or no memory: not to be had at once
    }
  }
}

StatusServer::~StatusServer() {
  if (!name_.empty()) ::unlinkat(dir_.get(), name_.c_str(), 0);
  if (!thread_.joinable()) return;
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
}

std::vector<std::string> ask_status_servers_in(int dir, int fd) {
  std::vector<std::string> answers;
  ask(dir, fd, Clock::now() + kAskingTime, answers);
  return answers;
}

std::vector<std::string> ask_status_servers(uid_t user, int fd) {
  std::vector<std::string> answers;
  const auto deadline = Clock::now() + kAskingTime;
  for (const UniqueFd& dir : open_runtime_dirs(user)) ask(dir.get(), fd, deadline, answers);
  return answers;
}

}  // namespace intact::service
