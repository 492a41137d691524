#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/serve/nbdkit.h>

namespace intact::serve {

namespace {

// systemd's protocol of socket activation, which nbdkit speaks: listening sockets from here on.
constexpr int kFirstSocket = 3;
constexpr int kFirstOther = 10;
constexpr std::size_t kMostSockets = kFirstOther - kFirstSocket;

/// `bytes` as a file without a name that exec keeps open.
Result<UniqueFd> inherited_file(const char* name, ByteSpan bytes) {
  // Without the flag kernels since 6.3 warn, and some administrators forbid to execute it.
#ifdef MFD_EXEC
  UniqueFd fd(::memfd_create(name, MFD_EXEC));
  if (!fd && errno == EINVAL) fd.reset(::memfd_create(name, 0));
#else
  UniqueFd fd(::memfd_create(name, 0));
#endif
  if (!fd) return Error::from_errno("memfd_create", errno);
  TRY(write_all(fd.get(), bytes));
  UniqueFd high(::fcntl(fd.get(), F_DUPFD, kFirstOther));
  if (!high) return Error::from_errno("cannot pass a descriptor on", errno);
  return high;
}

Result<UniqueFd> inherited(int fd) {
  UniqueFd high(::fcntl(fd, F_DUPFD, kFirstOther));
  if (!high) return Error::from_errno("cannot pass a descriptor on", errno);
  return high;
}

/// Moves the sockets to where nbdkit looks for them.
Result<void> place_sockets(const std::vector<UniqueFd>& sockets) {
  if (sockets.size() > kMostSockets)
    return Error(ErrorKind::unsupported, "the host has too many addresses");
  // First all out of the way, so that none falls on another.
  std::vector<UniqueFd> moved;
  moved.reserve(sockets.size());
  for (const UniqueFd& socket : sockets) moved.push_back(TRY(inherited(socket.get())));
  for (std::size_t i = 0; i < moved.size(); ++i) {
    const int place = kFirstSocket + static_cast<int>(i);
    if (::dup2(moved[i].get(), place) < 0) return Error::from_errno("dup2", errno);
  }
  ::setenv("LISTEN_FDS", std::to_string(sockets.size()).c_str(), 1);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::unsetenv("LISTEN_FDNAMES");
  return {};
}

/// Whether several threads may serve one connection. Up to nbdkit 1.33.9 a client that goes away
/// with answers outstanding ends the server and so all others: the thread that meets the broken
/// pipe closes the socket, and the next one with an answer aborts ("raw_send_socket: Assertion
/// `sock >= 0' failed") or writes it to whoever has got that descriptor meanwhile. Commit
/// 9d82aa4f6aaf mends it.
bool survives_lost_clients() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(
      ::popen("nbdkit --version 2>/dev/null", "re"), ::pclose);
  std::array<char, 64> line{};
  if (!pipe || std::fgets(line.data(), line.size(), pipe.get()) == nullptr) return false;
  std::array<unsigned, 3> version{};
  constexpr std::array<unsigned, 3> kMended = {1, 33, 10};
  return std::sscanf(line.data(), "nbdkit %u.%u.%u", &version[0], &version[1], &version[2]) == 3 &&
         version >= kMended;
}

Result<void> execute(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  if (errno == ENOENT)
    return Error(ErrorKind::not_found, "nbdkit is not installed: --nbd needs it");
  return Error::from_errno("cannot run nbdkit", errno);
}

}  // namespace

Error become_nbdkit(NbdListener listener, const NbdkitOptions& options) {
  const auto run = [&]() -> Result<void> {
    const UniqueFd plugin = TRY(inherited_file("intact-nbdkit-plugin", options.plugin));
    const UniqueFd stack = TRY(inherited_file("intact-stack", as_bytes(options.description)));
    std::vector<std::string> arguments = {"nbdkit", "--foreground", "--log=stderr"};
    // Clients open several connections (multi-conn), which are served side by side in any case.
    if (!survives_lost_clients()) arguments.emplace_back("--threads=1");
    if (!options.tls_certificates.empty())
      arguments.insert(arguments.end(),
                       {"--tls=require", "--tls-certificates=" + options.tls_certificates});
    if (!options.tls_psk.empty())
      arguments.insert(arguments.end(), {"--tls=require", "--tls-psk=" + options.tls_psk});
    arguments.push_back(fmt::format("/proc/self/fd/{}", plugin.get()));
    arguments.push_back(fmt::format("stack-fd={}", stack.get()));
    UniqueFd log, ready, output;
    if (options.log_fd >= 0) {
      log = TRY(inherited(options.log_fd));
      arguments.push_back(fmt::format("log-fd={}", log.get()));
    }
    if (options.ready_fd >= 0) {
      ready = TRY(inherited(options.ready_fd));
      arguments.push_back(fmt::format("ready-fd={}", ready.get()));
    }
    if (!options.announcement.empty()) {
      output = TRY(inherited(STDOUT_FILENO));
      arguments.push_back(fmt::format("output-fd={}", output.get()));
      arguments.push_back("announce=" + options.announcement);
    }
    if (!options.status_dir.empty()) arguments.push_back("status-dir=" + options.status_dir);
    if (!listener.path().empty()) arguments.push_back("unlink=" + listener.path());
    TRY(place_sockets(listener.sockets()));
    return execute(arguments);
  };
  return run().error();
}

}  // namespace intact::serve
