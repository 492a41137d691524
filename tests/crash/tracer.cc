#include "tracer.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <map>
#include <optional>

#include <elf.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <intact/base/file.h>

namespace intact::crash {
namespace {

constexpr int kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                         PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;

struct Thread {
  std::optional<SystemCall> call;  // the one that it is in
  int fail_with = 0;
};

long request(int what, pid_t thread, unsigned long data = 0) {
  return ::ptrace(static_cast<__ptrace_request>(what), thread, nullptr, data);
}

/// Changes what a thread is about to ask of the kernel, or what it is told: the one thing here that
/// differs between processors.
Result<void> set_register(pid_t thread, bool is_result, std::int64_t value) {
#if defined(__x86_64__)
  user_regs_struct registers{};
  if (::ptrace(PTRACE_GETREGS, thread, nullptr, &registers) != 0)
    return Error::from_errno("registers", errno);
  (is_result ? registers.rax : registers.orig_rax) = static_cast<unsigned long long>(value);
  if (::ptrace(PTRACE_SETREGS, thread, nullptr, &registers) != 0)
    return Error::from_errno("registers", errno);
  return {};
#elif defined(__aarch64__)
  if (!is_result) {
    int number = static_cast<int>(value);
    iovec io{&number, sizeof number};
    if (::ptrace(PTRACE_SETREGSET, thread, NT_ARM_SYSTEM_CALL, &io) != 0)
      return Error::from_errno("registers", errno);
    return {};
  }
  user_regs_struct registers{};
  iovec io{&registers, sizeof registers};
  if (::ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &io) != 0)
    return Error::from_errno("registers", errno);
  registers.regs[0] = static_cast<unsigned long long>(value);
  if (::ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &io) != 0)
    return Error::from_errno("registers", errno);
  return {};
#else
  (void)thread, (void)is_result, (void)value;
  return Error(ErrorKind::unsupported, "system calls cannot be failed on this processor");
#endif
}

[[noreturn]] void run_child(const std::vector<std::string>& command, int output, int go) {
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  char byte;
  while (::read(go, &byte, 1) < 0 && errno == EINTR) {
  }
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

class Tracer {
 public:
  explicit Tracer(CallObserver& observer) : observer_(observer) {}

  Result<int> run(const std::vector<std::string>& command, const std::string& output) {
    TRY(start(command, output));
    for (;;) {
      int status = 0;
      const pid_t thread = ::waitpid(-1, &status, __WALL);
      if (thread < 0) {
        if (errno == EINTR) continue;
        return Error::from_errno("wait for the traced program", errno);
      }
      if (WIFSTOPPED(status)) {
        TRY(stopped(thread, status));
        continue;
      }
      threads_.erase(thread);
      if (thread != main_) continue;
      TRY(let_go());
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
  }

 private:
  Result<void> start(const std::vector<std::string>& command, const std::string& output) {
    const UniqueFd out = TRY(open_file(output, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno("pipe", errno);
    UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    main_ = ::fork();
    if (main_ < 0) return Error::from_errno("fork", errno);
    if (main_ == 0) {
      writer.reset();
      run_child(command, out.get(), reader.get());
    }
    if (request(PTRACE_SEIZE, main_, kOptions) != 0 || request(PTRACE_INTERRUPT, main_) != 0) {
      const int reason = errno;
      ::kill(main_, SIGKILL);
      ::waitpid(main_, nullptr, 0);
      return Error(ErrorKind::unsupported, "programs cannot be traced here", reason);
    }
    TRY(write_all(writer.get(), as_bytes("g")));
    return {};
  }

  Result<void> stopped(pid_t thread, int status) {
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    Thread& state = threads_[thread];
    if (signal == (SIGTRAP | 0x80)) {
      TRY(at_call(thread, state));
      return resume(thread, 0);
    }
    // Known before it first stops, so that it is let go with the others.
    if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK) {
      unsigned long born = 0;
      if (::ptrace(PTRACE_GETEVENTMSG, thread, nullptr, &born) == 0)
        threads_.try_emplace(static_cast<pid_t>(born));
    }
    // A group stop would otherwise be undone.
    if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
      (void)request(PTRACE_LISTEN, thread);
      return {};
    }
    return resume(thread, event == 0 ? signal : 0);
  }

  Result<void> at_call(pid_t thread, Thread& state) {
    __ptrace_syscall_info info{};
    if (::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0) {
      if (errno == ESRCH) return {};  // killed meanwhile
      return Error(ErrorKind::unsupported, "the kernel does not tell about system calls", errno);
    }
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
      SystemCall call{thread, info.entry.nr, {}};
      std::copy(std::begin(info.entry.args), std::end(info.entry.args), call.arguments.begin());
      state.call = call;
      state.fail_with = observer_.before(call);
      // The kernel then skips the call.
      if (state.fail_with != 0) TRY(set_register(thread, false, -1));
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && state.call) {
      if (state.fail_with != 0) TRY(set_register(thread, true, -state.fail_with));
      observer_.after(*state.call, state.fail_with ? -state.fail_with : info.exit.rval);
      state = {};
    }
    return {};
  }

  static Result<void> resume(pid_t thread, int signal) {
    if (request(PTRACE_SYSCALL, thread, static_cast<unsigned long>(signal)) == 0) return {};
    if (errno == ESRCH) return {};  // killed meanwhile: the next wait tells
    return Error::from_errno("resume a traced thread", errno);
  }

  /// Lets those go on that the program left behind.
  Result<void> let_go() {
    while (!threads_.empty()) {
      const pid_t thread = threads_.begin()->first;
      TRY(let_go(thread));
      threads_.erase(thread);
    }
    return {};
  }

  Result<void> let_go(pid_t thread) {
    for (;;) {
      (void)request(PTRACE_INTERRUPT, thread);
      int status = 0;
      if (::waitpid(thread, &status, __WALL) != thread || !WIFSTOPPED(status)) return {};
      const bool is_interrupt = status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) == SIGTRAP;
      // What stopped it first may be a call that was to fail, a new thread, a signal.
      if (!is_interrupt || threads_[thread].fail_with != 0) {
        TRY(stopped(thread, status));
        continue;
      }
      (void)request(PTRACE_DETACH, thread);
      return {};
    }
  }

  CallObserver& observer_;
  pid_t main_ = -1;
  std::map<pid_t, Thread> threads_;
};

}  // namespace

Result<int> trace(const std::vector<std::string>& command, const std::string& output,
                  CallObserver& observer) {
  return Tracer(observer).run(command, output);
}

Result<std::string> read_memory(pid_t thread, std::uint64_t address, std::size_t size) {
  std::string bytes(size, '\0');
  const iovec local{bytes.data(), size};
  const iovec remote{reinterpret_cast<void*>(address), size};
  const ssize_t n = ::process_vm_readv(thread, &local, 1, &remote, 1, 0);
  if (n < 0) return Error::from_errno("memory of the traced program", errno);
  if (static_cast<std::size_t>(n) != size)
    return Error(ErrorKind::io, "memory of the traced program ends early");
  return bytes;
}

Result<std::string> read_string(pid_t thread, std::uint64_t address) {
  std::string text;
  constexpr std::size_t kPage = 4096;
  while (text.size() < PATH_MAX) {
    // Up to the end of a page: the next one may not be there.
    const std::size_t size = kPage - (address + text.size()) % kPage;
    const std::string piece = TRY(read_memory(thread, address + text.size(), size));
    const std::size_t end = piece.find('\0');
    text += piece.substr(0, end);
    if (end != std::string::npos) return text;
  }
  return Error(ErrorKind::limit, "a path of the traced program is too long");
}

}  // namespace intact::crash
