#include <chrono>
#include <csignal>
#include <mutex>
#include <string>
#include <thread>

#include <semaphore.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <intact/base/thread.h>

#include "ending.h"
#include "server.h"

namespace intact {
namespace {

constexpr int kFailed = 1;    // exit status, as of every command
constexpr int kTampered = 3;  // likewise

/// Ends all writing and makes durable what was written.
void close_stack() {
  Server& own = server();
  const std::unique_lock lock(own.writing);
  own.closed = true;
  const auto closed = own.stack->close();
  if (closed) return;
  own.lines->add(closed.error().message());
  own.status = closed.error().kind() == ErrorKind::tampered ? kTampered : kFailed;
}

constexpr std::chrono::milliseconds kGrace(500);

sem_t end_wanted;
struct sigaction nbdkit_handlers[NSIG];

void want_end(int signal) {
  nbdkit_handlers[signal].sa_handler(signal);
  ::sem_post(&end_wanted);
}

void end_after_grace() {
  while (::sem_wait(&end_wanted) != 0) {
  }
  std::this_thread::sleep_for(kGrace);
  cleanup();
  ::_exit(server().status);
}

}  // namespace

void cleanup() {
  static std::once_flag done;
  std::call_once(done, [] {
    Server& own = server();
    if (!own.unlink.empty()) ::unlink(own.unlink.c_str());
    own.status_server.reset();
    close_stack();
    if (const std::string summary = own.stack->summary(); !summary.empty()) own.lines->add(summary);
  });
}

Result<void> watch_for_end() {
  ::sem_init(&end_wanted, 0, 0);
  TRY(start_thread_without_signals(end_after_grace)).detach();
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
    struct sigaction& old = nbdkit_handlers[signal];
    if (::sigaction(signal, nullptr, &old) != 0 || (old.sa_flags & SA_SIGINFO) ||
        old.sa_handler == SIG_DFL || old.sa_handler == SIG_IGN)
      continue;
    struct sigaction ours = old;
    ours.sa_handler = want_end;
    ::sigaction(signal, &ours, nullptr);
  }
  return {};
}

void stop_because_of_damage() {
  server().status = kTampered;
  nbdkit_shutdown();
  ::sem_post(&end_wanted);
}

void unload() {
  if (server().serving) ::_exit(server().status);
}

}  // namespace intact
