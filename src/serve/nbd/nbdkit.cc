#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/serve/nbdkit.h>

namespace intact::serve {

namespace {

// systemd's protocol of socket activation, which nbdkit speaks: listening sockets from here on.
constexpr int kFirstSocket = 3;
constexpr int kFirstOther = 10;
constexpr std::uint64_t kMaxVersion = 4096;  // bytes of `nbdkit --version`
constexpr std::size_t kMaxSockets = kFirstOther - kFirstSocket;

/// Whatever the program that started us or a library left open must not reach nbdkit, nor the
/// programs that are started before it: there may be keys among it.
Result<void> close_all_on_exec() {
  if (::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return {};
  // Kernels before 5.11.
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", failed)) {
    const int fd = std::atoi(entry.path().filename().c_str());
    if (fd > STDERR_FILENO) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  if (failed) return Error::from_errno("/proc/self/fd", failed.value());
  return {};
}

Result<void> keep_on_exec(int fd) {
  if (::fcntl(fd, F_SETFD, 0) != 0) return Error::from_errno("cannot pass on a descriptor", errno);
  return {};
}

/// A copy that nbdkit inherits.
Result<UniqueFd> inherited(int fd) {
  UniqueFd high(::fcntl(fd, F_DUPFD, kFirstOther));
  if (!high) return Error::from_errno("cannot pass on a descriptor", errno);
  return high;
}

/// `bytes` as a file without a name that nbdkit inherits.
Result<UniqueFd> inherited_file(const char* name, ByteSpan bytes) {
  // Without MFD_EXEC kernels since 6.3 warn, and administrators can forbid executing the file.
#ifdef MFD_EXEC
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_EXEC));
  if (!fd && errno == EINVAL) fd.reset(::memfd_create(name, MFD_CLOEXEC));
#else
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC));
#endif
  if (!fd) return Error::from_errno("memfd_create", errno);
  TRY(write_all(fd.get(), bytes));
  return inherited(fd.get());
}

/// Moves the sockets to where nbdkit looks for them.
Result<void> place_sockets(const std::vector<UniqueFd>& sockets) {
  if (sockets.size() > kMaxSockets)
    return Error(ErrorKind::unsupported, "the host has too many addresses");
  // First move all of them to higher numbers, so that none overwrites another.
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

/// What `nbdkit --version` prints; empty if it cannot be run.
std::string nbdkit_version() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, writer.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::string words[] = {"nbdkit", "--version"};
  char* const argv[] = {words[0].data(), words[1].data(), nullptr};
  pid_t child = -1;
  const int failed = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  writer.reset();
  if (failed != 0) return {};
  const auto text = read_fd(reader.get(), kMaxVersion);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return text ? std::string(as_text(*text)) : std::string();
}

/// Whether several threads may serve one connection. Up to nbdkit 1.33.9 a client that disconnects
/// while answers are outstanding ends the server, and so all other clients: the thread that meets
/// the broken pipe closes the socket, and the next one with an answer aborts ("raw_send_socket:
/// Assertion `sock >= 0' failed") or writes the answer to whatever has the descriptor's number by
/// then. Commit 9d82aa4f6aaf fixes it.
bool survives_lost_clients() {
  std::array<unsigned, 3> version{};
  constexpr std::array<unsigned, 3> kFixed = {1, 33, 10};
  return std::sscanf(nbdkit_version().c_str(), "nbdkit %u.%u.%u", &version[0], &version[1],
                     &version[2]) == 3 &&
         version >= kFixed;
}

Result<void> execute(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  if (errno == ENOENT) return Error(ErrorKind::not_found, "nbdkit: not installed; --nbd needs it");
  return Error::from_errno("cannot run nbdkit", errno);
}

}  // namespace

Error become_nbdkit(NbdListener listener, const NbdkitOptions& options) {
  const auto run = [&]() -> Result<void> {
    TRY(close_all_on_exec());
    const bool is_safe_with_threads = survives_lost_clients();
    const UniqueFd plugin = TRY(inherited_file("intact-nbdkit-plugin", options.plugin));
    const UniqueFd stack = TRY(inherited_file("intact-stack", as_bytes(options.description)));
    std::vector<std::string> arguments = {"nbdkit", "--foreground", "--log=stderr"};
    // Clients open several connections (multi-conn), which are served in parallel in any case.
    if (!is_safe_with_threads) arguments.emplace_back("--threads=1");
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
    if (!listener.path().empty()) arguments.push_back("unlink=" + listener.path());
    const UniqueFd null = TRY(open_file("/dev/null", O_RDONLY));
    if (::dup2(null.get(), STDIN_FILENO) < 0) return Error::from_errno("/dev/null", errno);
    TRY(place_sockets(listener.sockets()));
    for (const int fd : options.inherited) TRY(keep_on_exec(fd));
    return execute(arguments);
  };
  return run().error();
}

}  // namespace intact::serve
