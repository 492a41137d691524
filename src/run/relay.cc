#include "relay.h"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>

#include "process.h"

namespace intact::run {

Result<OutputRelay> OutputRelay::start(int fd) {
  OutputRelay relay;
  struct stat st;
  if (::fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return relay;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno("pipe", errno);
  const UniqueFd read_end(ends[0]);
  relay.write_end_.reset(ends[1]);
  relay.pid_ = TRY(fork_child(Lifetime::ends_with_us, [&]() -> int {
    // Signals are for the container; this ends with what there is to copy.
    for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP}) std::signal(signal, SIG_IGN);
    relay.write_end_.reset();
    std::array<std::byte, 64 * 1024> buffer;
    for (;;) {
      const ssize_t count = ::read(read_end.get(), buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return 0;
      if (!write_all(fd, ByteSpan(buffer).first(static_cast<std::size_t>(count)))) return 1;
    }
  }));
  return relay;
}

}  // namespace intact::run
