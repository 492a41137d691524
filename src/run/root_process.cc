#include "root_process.h"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <unistd.h>

#include <intact/base/file.h>

#include "message.h"
#include "process.h"

namespace intact::run {

Result<RootProcess> start_root(const RootServer& serve, std::shared_ptr<const tree::FileTree> tree,
                               const std::string& mountpoint, bool others) {
  int ready[2], errors[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) return Error::from_errno("pipe", errno);
  UniqueFd ready_read(ready[0]), ready_write(ready[1]);
  if (::pipe2(errors, O_CLOEXEC) != 0) return Error::from_errno("pipe", errno);
  UniqueFd error_read(errors[0]), error_write(errors[1]);
  const pid_t pid = TRY(fork_child(Lifetime::ends_with_us, [&]() -> int {
    // The terminal's signals are for the container; this process ends with its namespace.
    for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGUSR1, SIGUSR2})
      std::signal(signal, SIG_IGN);
    ::setpgid(0, 0);
    // Readers of the caller's pipes would never see their end if this process held them open.
    if (const auto null = open_file("/dev/null", O_RDWR)) {
      ::dup2(null->get(), STDIN_FILENO);
      ::dup2(null->get(), STDOUT_FILENO);
    }
    const int report = error_write.get();
    auto served = serve(std::move(tree), mountpoint, others, ready_write.release());
    if (!served) send_error(report, served.error());
    return served ? 0 : 1;
  }));
  ready_write.reset();
  error_write.reset();
  char byte;
  ssize_t count;
  do count = ::read(ready_read.get(), &byte, 1);
  while (count < 0 && errno == EINTR);
  if (count == 1) return RootProcess{pid};
  if (auto message = receive_message(error_read.get()); message && message->error)
    return std::move(*message->error).with_context("serve the image");
  return Error(ErrorKind::io, "the server of the image ended before it was ready");
}

}  // namespace intact::run
