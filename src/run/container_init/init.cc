// What runs inside of containers or on their way there, linked statically, since no libraries are
// there. By the name that it is called by:
// - the init of `intact run --init`: process 1 of a container. It starts the command that it is
//   given, passes signals on to it, reaps every orphan, and ends with the command's status (128 +
//   signal), which ends the container;
// - intact-guard-root DIRECTORY [ro]: a hook that gives the container's root, before it becomes
//   that, the flags that runtimes remove when they bind it: nosuid, nodev and, if asked for, ro;
//   and ro to the tmpfs of /sys/fs/cgroup, which crun leaves writable with control groups of
//   version 1.

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

/// Signals that are about this process itself.
bool is_own(int signal) {
  return signal == SIGCHLD || signal == SIGTTIN || signal == SIGTTOU || signal == SIGSEGV ||
         signal == SIGBUS || signal == SIGFPE || signal == SIGILL;
}

[[noreturn]] void execute(char** command, const sigset_t& mask) {
  // A process group of its own, in the foreground of the terminal, if there is one: what is typed
  // there then reaches the command once, and not a second time through us.
  setpgid(0, 0);
  tcsetpgrp(STDIN_FILENO, getpid());
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  execvp(command[0], command);
  const int error = errno;
  std::fprintf(stderr, "init: %s: %s\n", command[0], std::strerror(error));
  _exit(error == ENOENT ? 127 : 126);
}

/// Reaps all that have ended; whether the command is among them.
bool reap(pid_t command, int& status) {
  bool ended = false;
  int one = 0;
  for (pid_t pid; (pid = waitpid(-1, &one, WNOHANG)) > 0;) {
    if (pid != command) continue;
    ended = true;
    status = WIFSIGNALED(one) ? 128 + WTERMSIG(one) : WEXITSTATUS(one);
  }
  return ended;
}

/// The directories of the hierarchies, not the hierarchies, which have their own flags. No link of
/// the image is followed. Where control groups are mounted in another way there is no such tmpfs.
bool guard_cgroups(const char* root) {
  int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  const char* const names[] = {"sys", "fs", "cgroup"};
  for (const char* const name : names) {
    const int next = fd < 0 ? -1 : openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    close(fd);
    fd = next;
  }
  struct statfs fs;
  if (fd < 0 || fstatfs(fd, &fs) != 0 || fs.f_type != TMPFS_MAGIC) {
    close(fd);
    return true;
  }
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  // A tmpfs that is not a mount of its own is a part of another one, /sys or the root.
  const bool done =
      mount(nullptr, path, nullptr,
            MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0 ||
      errno == EINVAL;
  if (!done) std::perror("/sys/fs/cgroup");
  close(fd);
  return done;
}

int guard_root(const char* directory, bool read_only) {
  // The runtime sends the state of the container, and fails if nobody reads it.
  char buffer[4096];
  while (read(STDIN_FILENO, buffer, sizeof buffer) > 0) {
  }
  struct statvfs fs;
  if (statvfs(directory, &fs) != 0) {
    std::perror(directory);
    return 1;
  }
  unsigned long flags = MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV;
  if (read_only || (fs.f_flag & ST_RDONLY) != 0) flags |= MS_RDONLY;
  if ((fs.f_flag & ST_NOEXEC) != 0) flags |= MS_NOEXEC;
  if (!guard_cgroups(directory)) return 1;
  if (mount(nullptr, directory, nullptr, flags, nullptr) == 0) return 0;
  std::perror(directory);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 2 && std::strcmp(argv[0], "intact-guard-root") == 0)
    return guard_root(argv[1], argc > 2);
  if (argc < 2) return 127;
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t command = fork();
  if (command < 0) {
    std::perror("init: fork");
    return 126;
  }
  if (command == 0) execute(argv + 1, before);
  for (int status = 0;;) {
    const int signal = sigwaitinfo(&all, nullptr);
    if (signal == SIGCHLD && reap(command, status)) return status;
    if (signal > 0 && !is_own(signal)) kill(command, signal);
  }
}
