#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/terminal.h>

namespace intact {

void leave_terminal(int log_fd) {
  ::setsid();
  (void)!::chdir("/");
  if (const auto null = open_file("/dev/null", O_RDONLY)) ::dup2(null->get(), STDIN_FILENO);
  ::dup2(log_fd, STDOUT_FILENO);
  ::dup2(log_fd, STDERR_FILENO);
}

}  // namespace intact
