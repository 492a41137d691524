#include "process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/text.h>

#include "runtime.h"

namespace intact::run {
namespace {

constexpr std::size_t kMaxOutput = 64 * 1024;

constexpr std::string_view kSystemDirectories =
    ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The child must not outlive us, even if we died before it could arrange it.
void die_with(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // In a new process namespace the parent has no number here: 0.
  if (const pid_t now = ::getppid(); now != parent && now != 0) ::_exit(125);
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const auto& string : strings) out.push_back(const_cast<char*>(string.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

std::string find_in_path(std::string_view name, std::string_view search_path) {
  const std::string directories = std::string(search_path) + std::string(kSystemDirectories);
  for (std::string_view rest = directories; !rest.empty();) {
    const std::string_view directory = take_until(rest, ':');
    if (!directory.starts_with('/')) continue;
    std::string file = std::string(directory) + "/" + std::string(name);
    if (::access(file.c_str(), X_OK) == 0) return file;
  }
  return {};
}

std::string find_executable(std::string_view name) {
  const char* path = std::getenv("PATH");
  return find_in_path(name, path ? path : "");
}

Result<pid_t> spawn(const std::vector<std::string>& command, const ChildSetup& setup) {
  // Everything that allocates happens before the fork.
  const auto arguments = pointers(command);
  const auto environment = pointers(setup.environment);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return Error::from_errno("fork", errno);
  if (child > 0) {
    // Both sides do it, so that it is done in any order.
    if (setup.own_process_group) ::setpgid(child, child);
    return child;
  }
  die_with(parent);
  if (setup.own_process_group) ::setpgid(0, 0);
  if (setup.stdin_fd >= 0) ::dup2(setup.stdin_fd, STDIN_FILENO);
  if (setup.stdout_fd >= 0) ::dup2(setup.stdout_fd, STDOUT_FILENO);
  if (setup.stderr_fd >= 0) ::dup2(setup.stderr_fd, STDERR_FILENO);
  // Not every descriptor of the libraries in this process needs to be marked close-on-exec.
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  // An ignored signal stays ignored in all descendants, and we ignore some.
  for (int signal = 1; signal < NSIG; ++signal) std::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(arguments[0], arguments.data(), environment.data());
  ::_exit(127);
}

Result<Captured> run_and_capture(const std::vector<std::string>& command) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno("pipe", errno);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const UniqueFd null = TRY(open_file("/dev/null", O_RDONLY));
  ChildSetup setup{.stdin_fd = null.get(), .stdout_fd = write_end.get(), .environment = {}};
  const pid_t child = TRY(spawn(command, setup));
  write_end.reset();
  Captured captured;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t count = ::read(read_end.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    if (captured.output.size() < kMaxOutput)
      captured.output.append(buffer.data(), static_cast<std::size_t>(count));
  }
  captured.status = exit_status_of(wait_for(child));
  return captured;
}

Result<pid_t> fork_child(Lifetime lifetime, const std::function<int()>& body) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return Error::from_errno("fork", errno);
  if (child > 0) return child;
  if (lifetime == Lifetime::ends_with_us) die_with(parent);
  ::_exit(body());
}

int wait_for(pid_t child) {
  int status = 0;
  for (;;) {
    const pid_t done = ::waitpid(child, &status, 0);
    if (done == child) return status;
    if (done < 0 && errno != EINTR) return -1;
  }
}

std::size_t count_threads() {
  std::error_code error;
  const std::filesystem::directory_iterator tasks("/proc/self/task", error);
  if (error) return 1;
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

}  // namespace intact::run
