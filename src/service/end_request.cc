#include <cerrno>
#include <cstdint>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <intact/base/thread.h>
#include <intact/service/server.h>

namespace intact::service {
namespace {

/// A signal that is ignored, as SIGHUP below nohup, would be received nevertheless.
sigset_t signals_that_end() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
    struct sigaction action{};
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_IGN)
      ::sigaddset(&set, signal);
  }
  return set;
}

}  // namespace

HeldSignals::HeldSignals() : set_(signals_that_end()) {
  ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
}

HeldSignals::~HeldSignals() {
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

Result<std::unique_ptr<EndRequest>> EndRequest::wait(int stop, std::function<void()> end) {
  std::unique_ptr<EndRequest> request(new EndRequest);
  request->leave_.reset(::eventfd(0, EFD_CLOEXEC));
  if (!request->leave_) return Error::from_errno("eventfd", errno);
  request->signals_.reset(::signalfd(-1, &request->held_.set(), SFD_CLOEXEC | SFD_NONBLOCK));
  if (!request->signals_) return Error::from_errno("signalfd", errno);
  request->thread_ =
      TRY(start_thread([own = request.get(), stop, end = std::move(end)] { own->run(stop, end); }));
  return request;
}

EndRequest::~EndRequest() {
  const bool is_waiting = thread_.joinable();
  if (is_waiting) {
    const std::uint64_t one = 1;
    (void)(::write(leave_.get(), &one, sizeof one) > 0);
    thread_.join();
  }
  if (!is_waiting) return;  // never asked for: HeldSignals passes on what came
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) > 0) {
  }
}

void EndRequest::run(int stop, const std::function<void()>& end) const {
  pollfd events[] = {{leave_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}, {stop, POLLIN, 0}};
  while (::poll(events, 3, -1) >= 0 || errno == EINTR) {
    if (events[0].revents != 0) return;
    if (events[1].revents != 0 || events[2].revents != 0) return end();
  }
}

}  // namespace intact::service
