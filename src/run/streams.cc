#include "streams.h"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <intact/base/file.h>

namespace intact::run {
namespace {

/// Whether the container may not have the descriptor itself.
bool needs_copier(int fd, struct stat& st) {
  if (::fstat(fd, &st) != 0 || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) return false;
  return !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}

bool is_writable(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags < 0 || (flags & O_ACCMODE) != O_RDONLY;
}

int copy(int from, int to) {
  std::array<std::byte, 64 * 1024> buffer;
  for (;;) {
    const ssize_t count = ::read(from, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return 0;
    if (!write_all(to, ByteSpan(buffer).first(static_cast<std::size_t>(count)))) return 1;
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

Result<ContainerStreams> ContainerStreams::open(bool interactive) {
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
  if (!interactive) {
    streams.input_ = TRY(open_file("/dev/null", O_RDONLY));
  } else if (needs_copier(STDIN_FILENO, in) && (S_ISCHR(in.st_mode) || is_writable(STDIN_FILENO))) {
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

void ContainerStreams::release() {
  input_.reset();
  output_.reset();
  errors_.reset();
}

void ContainerStreams::finish() {
  release();
  for (const pid_t copier : output_copiers_) wait_for(copier);
  output_copiers_.clear();
  if (input_copier_ > 0) {
    ::kill(input_copier_, SIGKILL);
    wait_for(input_copier_);
    input_copier_ = -1;
  }
}

}  // namespace intact::run
