#pragma once

#include <csignal>
#include <future>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include <intact/base/result.h>

namespace intact {

/// Starts a thread that does `run()`, to be joined or detached by the caller. The error (io) is
/// that there may be no more of them: users, containers and address spaces have limits.
template <typename Run>
Result<std::thread> start_thread(Run&& run) {
  try {
    return std::thread(std::forward<Run>(run));
  } catch (const std::system_error& error) {
    return Error::from_errno("cannot start a thread", error.code().value());
  }
}

/// The same for a thread that is interrupted by no signal: those are for the threads that were
/// there before.
template <typename Run>
Result<std::thread> start_thread_without_signals(Run&& run) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // inherited
  auto thread = start_thread(std::forward<Run>(run));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

/// Does `run()` on a thread of its own or, where there may be no more of them, when its result is
/// asked for.
template <typename Run>
auto run_beside(Run run) {
  // Copied, for where it can start no thread the library has already moved away what could be
  // moved.
  const auto call = [run = std::make_shared<Run>(std::move(run))] { return (*run)(); };
  return std::async(std::launch::async | std::launch::deferred, call);
}

}  // namespace intact
