#include "fusermount.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <intact/base/bytes.h>
#include <intact/base/file.h>

namespace intact::serve {

namespace {

constexpr std::uint64_t kMessageLimit = 16384;
constexpr int kSocketThere = 3;  // the number of our socket in the child

/// Receives the descriptor that fusermount3 passes over its socket; none if it ends without.
UniqueFd receive_descriptor(int socket) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return {};
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(sizeof(int)))
    return {};
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return UniqueFd(fd);
}

/// With which signals it starts: with all that we hold back for ourselves.
class NoSignalsBlocked {
 public:
  NoSignalsBlocked() {
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK);
  }
  ~NoSignalsBlocked() { ::posix_spawnattr_destroy(&attributes_); }
  NoSignalsBlocked(const NoSignalsBlocked&) = delete;
  NoSignalsBlocked& operator=(const NoSignalsBlocked&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

/// posix_spawn's file actions, freed at the end of the scope.
class FileActions {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

std::string on_one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace_if(text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, ' ');
  return text;
}

/// Starts it with its end of the socket, and with `messages` as stderr.
Result<pid_t> start_fusermount(const std::vector<std::string>& arguments, int socket,
                               int messages) {
  // It gets the socket, the pipe and no other descriptor of this process: there may be keys among
  // those that our own caller left open. dup2 onto itself clears close-on-exec.
  FileActions actions;
  ::posix_spawn_file_actions_addopen(actions.get(), 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(actions.get(), 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(actions.get(), messages, 2);
  ::posix_spawn_file_actions_adddup2(actions.get(), socket, kSocketThere);
  ::posix_spawn_file_actions_addclosefrom_np(actions.get(), kSocketThere + 1);

  const char* path = std::getenv("PATH");
  std::string path_variable = fmt::format("PATH={}", path ? path : "/usr/bin:/bin");
  std::string socket_variable = fmt::format("_FUSE_COMMFD={}", kSocketThere);
  std::string locale_variable = "LC_ALL=C";  // its messages are looked at
  char* environment[] = {path_variable.data(), socket_variable.data(), locale_variable.data(),
                         nullptr};
  std::vector<std::string> words = {"fusermount3"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  const NoSignalsBlocked attributes;
  pid_t child = -1;
  int status = ::posix_spawnp(&child, "fusermount3", actions.get(), attributes.get(), argv.data(),
                              environment);
  if (status == ENOENT)
    status = ::posix_spawn(&child, "/usr/bin/fusermount3", actions.get(), attributes.get(),
                           argv.data(), environment);
  if (status == ENOENT)
    return Error(ErrorKind::not_found,
                 "fusermount3 is not installed, and only root can mount without it; install the "
                 "package fuse3");
  if (status != 0) return Error::from_errno("cannot start fusermount3", status);
  return child;
}

}  // namespace

Result<FusermountOutcome> run_fusermount(const std::vector<std::string>& arguments) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    return Error::from_errno("cannot create a socket pair", errno);
  UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  int pipe_ends[2];
  if (::pipe2(pipe_ends, O_CLOEXEC) != 0) return Error::from_errno("cannot create a pipe", errno);
  UniqueFd messages(pipe_ends[0]);
  UniqueFd messages_in(pipe_ends[1]);
  const pid_t child = TRY(start_fusermount(arguments, theirs.get(), messages_in.get()));

  theirs.reset();
  messages_in.reset();
  FusermountOutcome outcome;
  outcome.device = receive_descriptor(ours.get());
  if (auto text = read_fd(messages.get(), kMessageLimit))
    outcome.message = on_one_line(std::string(as_text(*text)));
  int wait_status = 0;
  pid_t waited;
  do {
    waited = ::waitpid(child, &wait_status, 0);
  } while (waited < 0 && errno == EINTR);
  // Where SIGCHLD is ignored its status is lost: then only the result counts.
  outcome.succeeded = waited < 0 ? static_cast<bool>(outcome.device)
                                 : WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
  return outcome;
}

}  // namespace intact::serve
