#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/text.h>
#include <intact/service/background.h>

namespace intact::service {

namespace {

constexpr char kFailed = 'E';
constexpr std::uint64_t kMessageLimit = 1 << 20;

/// Descriptors above stderr that were open when we were started.
std::vector<int> open_descriptors() {
  std::vector<int> descriptors;
  DIR* const dir = ::opendir("/proc/self/fd");
  if (dir == nullptr) return descriptors;
  while (const dirent* entry = ::readdir(dir)) {
    const auto fd = whole_number<int>(entry->d_name);
    if (fd && *fd > 2 && *fd != ::dirfd(dir)) descriptors.push_back(*fd);
  }
  ::closedir(dir);
  return descriptors;
}

/// "E KIND ERRNO MESSAGE"
std::string encode(const Error& error) {
  return fmt::format("{} {} {} {}", kFailed, static_cast<int>(error.kind()), error.sys_errno(),
                     error.message());
}

Error decode(std::string_view text) {
  take_until(text, ' ');
  const int kind = whole_number<int>(take_until(text, ' ')).value_or(0);
  const int sys_errno = whole_number<int>(take_until(text, ' ')).value_or(0);
  return {static_cast<ErrorKind>(kind), std::string(text), sys_errno};
}

/// How a child ended that reported nothing.
Error silent_end(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return {ErrorKind::io, WIFSIGNALED(status)
                             ? fmt::format("the server was killed by signal {}", WTERMSIG(status))
                             : std::string("the server ended before it was ready")};
}

}  // namespace

Result<void> fill_standard_descriptors() {
  UniqueFd null;
  do {
    null.release();
    null = TRY(open_file("/dev/null", O_RDWR));
  } while (null.get() <= STDERR_FILENO);
  // One that guard_output() has opened takes nothing.
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    const int mode = ::fcntl(fd, F_GETFL) & O_ACCMODE;
    if (mode != (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY)) continue;
    if (::dup2(null.get(), fd) < 0) return Error::from_errno("/dev/null", errno);
  }
  return {};
}

bool tell_ready(UniqueFd ready) {
  return write_all(ready.get(), as_bytes({&kReady, 1})).has_value();
}

void leave_terminal(int log_fd) {
  ::setsid();
  (void)!::chdir("/");
  if (const auto null = open_file("/dev/null", O_RDONLY)) ::dup2(null->get(), STDIN_FILENO);
  ::dup2(log_fd, STDOUT_FILENO);
  ::dup2(log_fd, STDERR_FILENO);
}

UniqueFd BackgroundProcess::take_ready() {
  return std::move(ready_);
}

void BackgroundProcess::close_inherited(int log_fd) {
  for (const int fd : inherited_)
    if (fd != log_fd) ::close(fd);
  inherited_.clear();
}

void BackgroundProcess::leave_terminal(int log_fd) {
  service::leave_terminal(log_fd);
  close_inherited(log_fd);
}

Result<pid_t> run_in_background(const std::function<Result<void>(BackgroundProcess&)>& body) {
  BackgroundProcess process;
  process.inherited_ = open_descriptors();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno("cannot make a pipe", errno);
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return Error::from_errno("cannot start a process", errno);
  if (child == 0) {
    reader.reset();
    process.ready_.reset(::fcntl(writer.get(), F_DUPFD_CLOEXEC, 3));
    const Result<void> result = body(process);
    if (!result) (void)write_all(writer.get(), as_bytes(encode(result.error())));
    std::fflush(nullptr);
    ::_exit(result ? 0 : 1);
  }
  writer.reset();
  char first = 0;
  ssize_t count;
  do {
    count = ::read(reader.get(), &first, 1);
  } while (count < 0 && errno == EINTR);
  if (count == 1 && first == kReady) return child;
  if (count != 1 || first != kFailed) return silent_end(child);
  const Bytes rest = TRY(read_fd(reader.get(), kMessageLimit));
  return decode(std::string(1, first) + std::string(as_text(rest)));
}

void end_background(pid_t child) {
  ::kill(child, SIGTERM);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace intact::service
