#pragma once

#include <csignal>
#include <future>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include <intact/base/result.h>

namespace intact {

/// While it exists, threads that the caller starts are interrupted by no signal.
class SignalsForTheCallerAlone {
 public:
  SignalsForTheCallerAlone() {
    sigset_t all;
    ::sigfillset(&all);
    // These concern the thread that caused them.
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS})
      ::sigdelset(&all, own);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);  // inherited
  }
  ~SignalsForTheCallerAlone() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsForTheCallerAlone(const SignalsForTheCallerAlone&) = delete;
  SignalsForTheCallerAlone& operator=(const SignalsForTheCallerAlone&) = delete;

 private:
  sigset_t before_;
};

/// Starts a thread that does `run()`, to be joined or detached by the caller. No signal interrupts
/// it: signals are for the first thread, which may wait for them (service/end_request.h). The error
/// (io) is that there may be no more threads: users, containers and address spaces have limits.
template <typename Run>
Result<std::thread> start_thread(Run&& run) {
  const SignalsForTheCallerAlone signals;
  try {
    return std::thread(std::forward<Run>(run));
  } catch (const std::system_error& error) {
    return Error::from_errno("cannot start a thread", error.code().value());
  }
}

/// Does `run()` on a thread of its own or, where there may be no more of them, when its result is
/// asked for.
template <typename Run>
auto run_beside(Run run) {
  // Copied, for where it can start no thread the library has already moved away what could be
  // moved.
  const SignalsForTheCallerAlone signals;
  const auto call = [run = std::make_shared<Run>(std::move(run))] { return (*run)(); };
  return std::async(std::launch::async | std::launch::deferred, call);
}

}  // namespace intact
