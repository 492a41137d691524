#include "streams.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <intact/base/file.h>

namespace intact::run {
namespace {

const dev_t kNull = makedev(1, 3);

bool is_null(const struct stat& st) {
  return S_ISCHR(st.st_mode) && st.st_rdev == kNull;
}

/// Whether the container may not have the descriptor itself. /proc/self/fd reopens any file with
/// more access than the descriptor has, a directory leads to the rest of its file system, and a
/// pipe that Intact writes to as well would let the container block it.
bool needs_copier(int fd, struct stat& st) {
  return ::fstat(fd, &st) == 0 && !is_null(st);
}

/// The /dev/null of a container. Root in a container may change the mode of what it has open, so it
/// must not be the machine's. Where no device can be made, in a user namespace, the owner of the
/// machine's is an id that does not exist there.
Result<UniqueFd> open_null(const std::string& room) {
  const std::string directory = room + "/null", own = directory + "/null";
  struct stat st;
  const bool made = ::mkdir(directory.c_str(), 0700) == 0 &&
                    ::mount("intact", directory.c_str(), "tmpfs", MS_NOSUID | MS_NOEXEC,
                            "mode=0700,size=4k,nr_inodes=4") == 0 &&
                    ::mknod(own.c_str(), S_IFCHR | 0666, kNull) == 0 &&
                    ::chmod(own.c_str(), 0666) == 0;
  if (made || (::stat(own.c_str(), &st) == 0 && is_null(st))) {
    auto fd = open_file(own, O_RDWR);
    if (fd) return fd;
  }
  return open_file("/dev/null", O_RDWR);
}

Result<void> refuse_directory(int fd, std::string_view name) {
  struct stat st;
  if (::fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
    return Error(ErrorKind::invalid_argument,
                 std::string(name) +
                     ": a directory, which containers do not get this way; pass it with --volume");
  return {};
}

/// Waits for a descriptor that the caller made non-blocking.
void wait_until_ready(int fd, short events) {
  pollfd event = {fd, events, 0};
  ::poll(&event, 1, -1);
}

bool write_out(int to, ByteSpan data) {
  while (!data.empty()) {
    const ssize_t count = ::write(to, data.data(), data.size());
    if (count >= 0) {
      data = data.subspan(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      wait_until_ready(to, POLLOUT);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

int copy(int from, int to) {
  std::array<std::byte, 64 * 1024> buffer;
  for (;;) {
    const ssize_t count = ::read(from, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      wait_until_ready(from, POLLIN);
      continue;
    }
    if (count <= 0) return 0;
    if (!write_out(to, ByteSpan(buffer).first(static_cast<std::size_t>(count)))) return 1;
  }
}

struct Pipe {
  UniqueFd read_end, write_end;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno("pipe", errno);
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// Signals are for the container; a copier ends with what there is to copy.
void ignore_signals() {
  for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP}) std::signal(signal, SIG_IGN);
}

}  // namespace

Result<ContainerStreams> ContainerStreams::open(bool interactive, const std::string& room) {
  TRY(refuse_directory(STDOUT_FILENO, "stdout"));
  TRY(refuse_directory(STDERR_FILENO, "stderr"));
  if (interactive) TRY(refuse_directory(STDIN_FILENO, "stdin"));
  ContainerStreams streams;
  // The container sees the end of its input once the copier's end of the pipe is closed. No other
  // child may hold that open, so the copier of input is started last.
  const auto copy_output = [&](int to) -> Result<UniqueFd> {
    Pipe pipe = TRY(make_pipe());
    streams.output_copiers_.push_back(TRY(fork_child(Lifetime::ends_with_us, [&]() -> int {
      ignore_signals();
      pipe.write_end.reset();
      streams.output_.reset();
      return copy(pipe.read_end.get(), to);
    })));
    return std::move(pipe.write_end);
  };
  struct stat out, err;
  const bool copy_out = needs_copier(STDOUT_FILENO, out);
  const bool copy_err = needs_copier(STDERR_FILENO, err);
  if (copy_out) streams.output_ = TRY(copy_output(STDOUT_FILENO));
  streams.errors_to_output_ =
      copy_out && copy_err && out.st_dev == err.st_dev && out.st_ino == err.st_ino;
  if (copy_err && !streams.errors_to_output_) streams.errors_ = TRY(copy_output(STDERR_FILENO));

  struct stat in;
  const bool no_output = ::fstat(STDOUT_FILENO, &in) == 0 && is_null(in);
  const bool no_errors = ::fstat(STDERR_FILENO, &in) == 0 && is_null(in);
  const bool no_input = !interactive || (::fstat(STDIN_FILENO, &in) == 0 && is_null(in));
  if (no_output) streams.output_ = TRY(open_null(room));
  if (no_errors) streams.errors_ = TRY(open_null(room));
  if (no_input) {
    streams.input_ = TRY(open_null(room));
  } else if (needs_copier(STDIN_FILENO, in)) {
    Pipe pipe = TRY(make_pipe());
    streams.input_copier_ = TRY(fork_child(Lifetime::ends_with_us, [&]() -> int {
      ignore_signals();
      pipe.read_end.reset();
      streams.output_.reset();
      streams.errors_.reset();
      return copy(STDIN_FILENO, pipe.write_end.get());
    }));
    streams.input_ = std::move(pipe.read_end);
  }
  return streams;
}

void ContainerStreams::set(ChildSetup& setup) const {
  setup.stdin_fd = input_.get();
  setup.stdout_fd = output_.get();
  setup.stderr_fd = errors_to_output_ ? output_.get() : errors_.get();
}

void ContainerStreams::finish() {
  input_.reset();
  output_.reset();
  errors_.reset();
  for (const pid_t copier : output_copiers_) wait_for(copier);
  output_copiers_.clear();
  if (input_copier_ > 0) {
    ::kill(input_copier_, SIGKILL);
    wait_for(input_copier_);
    input_copier_ = -1;
  }
}

}  // namespace intact::run
