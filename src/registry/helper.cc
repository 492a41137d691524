#include "helper.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/unique_fd.h>
#include <intact/base/visible.h>
#include <intact/json/json.h>

extern char** environ;

namespace intact::registry {
namespace {

constexpr std::size_t kMaxAnswer = 64 * 1024;  // bytes
constexpr std::chrono::seconds kPatience{60};

struct Answer {
  int status = 0;
  crypto::Secret output;
};

struct Pipe {
  UniqueFd read, write;
  static Result<Pipe> make() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno("pipe", errno);
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  }
};

/// Reads what the helper prints, until it closes its output or the patience ends.
Result<std::size_t> read_answer(int fd, MutableByteSpan out) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  std::size_t size = 0;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = left.count() <= 0 ? 0 : ::poll(&waiting, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Error(ErrorKind::io, "does not answer");
    if (size == out.size()) return Error(ErrorKind::limit, "answers too much");
    const ssize_t n = ::read(fd, out.data() + size, out.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::from_errno("its answer", errno);
    if (n == 0) return size;
    size += static_cast<std::size_t>(n);
  }
}

/// `input` fits into a pipe, so that writing it never blocks.
Result<Answer> run(const std::string& program, const char* action, ByteSpan input) {
  Pipe to = TRY(Pipe::make()), from = TRY(Pipe::make());
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, to.read.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, from.write.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  char* const arguments[] = {const_cast<char*>(program.c_str()), const_cast<char*>(action),
                             nullptr};
  pid_t child = 0;
  const int failed =
      ::posix_spawnp(&child, program.c_str(), &actions, &attributes, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (failed != 0) return Error::from_errno("cannot be started", failed);
  to.read.reset();
  from.write.reset();
  // A helper that does not read what it is told must not end this program.
  sigset_t broken_pipe, before;
  ::sigemptyset(&broken_pipe);
  ::sigaddset(&broken_pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
  const auto written = write_all(to.write.get(), input);
  if (!written) {
    const timespec now{};
    ::sigtimedwait(&broken_pipe, nullptr, &now);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  to.write.reset();
  crypto::Secret buffer(kMaxAnswer);
  const auto size = read_answer(from.read.get(), buffer.expose());
  if (!size) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!size) return Error(size.error());
  return Answer{WIFEXITED(status) ? WEXITSTATUS(status) : 128,
                crypto::Secret::copy_of(ByteSpan(buffer.expose()).first(*size))};
}

Result<std::string> program_of(const std::string& name) {
  if (!is_helper_name(name))
    return Error(ErrorKind::malformed,
                 "'" + visible(name.substr(0, 100)) + "': not the name of a credential helper");
  return "docker-credential-" + name;
}

/// "credentials not found in native keychain" is what all helpers print.
bool says_not_found(std::string_view output) {
  return output.find("credentials not found") != std::string_view::npos;
}

Error failed(const std::string& program, const Answer& answer) {
  // A helper that fails prints why; what it prints otherwise may be secret.
  return Error(ErrorKind::io, program + ": failed with status " + std::to_string(answer.status) +
                                  ": " + visible(answer.output.expose_text().substr(0, 200)));
}

}  // namespace

bool is_helper_name(const std::string& name) {
  return !name.empty() && name.size() <= 100 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

Result<std::optional<Credential>> ask_helper(const std::string& name, const std::string& server) {
  const std::string program = TRY(program_of(name));
  const Answer answer = TRY(run(program, "get", as_bytes(server + "\n")).context(program));
  if (answer.status != 0) {
    if (says_not_found(answer.output.expose_text())) return std::optional<Credential>();
    return failed(program, answer);
  }
  auto json = parse_json(answer.output.expose(), {.bytes = kMaxAnswer, .depth = 4, .values = 100});
  if (!json || !json->is_object())
    return Error(ErrorKind::malformed, program + ": its answer is not a JSON object");
  Credential credential{
      .user = TRY(optional_string(*json, "Username").context(program)).value_or(""),
      .password = {},
      .identity_token = {},
      .origin = program};
  const auto secret = json->find("Secret");
  if (secret == json->end() || !secret->is_string())
    return Error(ErrorKind::malformed, program + ": its answer has no Secret");
  auto& text = secret->get_ref<std::string&>();
  crypto::Secret& kept =
      credential.user == "<token>" ? credential.identity_token : credential.password;
  kept = crypto::Secret::copy_of(as_bytes(text));
  crypto::wipe(std::as_writable_bytes(std::span(text)));
  if (credential.user.empty() && kept.empty()) return std::optional<Credential>();
  return std::optional(std::move(credential));
}

Result<void> tell_helper(const std::string& name, const std::string& server,
                         const Credential& credential) {
  const std::string program = TRY(program_of(name));
  std::string text = to_text(Json{{"ServerURL", server},
                                  {"Username", credential.user},
                                  {"Secret", credential.password.expose_text()}});
  const auto answer = run(program, "store", as_bytes(text)).context(program);
  crypto::wipe(std::as_writable_bytes(std::span(text)));
  if (!answer) return Error(answer.error());
  return answer->status == 0 ? Result<void>() : failed(program, *answer);
}

Result<void> erase_from_helper(const std::string& name, const std::string& server) {
  const std::string program = TRY(program_of(name));
  const Answer answer = TRY(run(program, "erase", as_bytes(server + "\n")).context(program));
  if (answer.status == 0) return {};
  if (says_not_found(answer.output.expose_text()))
    return Error(ErrorKind::not_found, program + ": has no credentials for " + server);
  return failed(program, answer);
}

}  // namespace intact::registry
