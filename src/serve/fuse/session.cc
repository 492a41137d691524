#include "session.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/thread.h>
#include <intact/base/worker_pool.h>
#include <intact/serve/mounts.h>
#include <intact/service/background.h>

namespace intact::serve {

namespace {

constexpr int kWakeUp = SIGURG;
constexpr std::chrono::milliseconds kPause(10);

struct LoopConfigDeleter {
  void operator()(fuse_loop_config* config) const { fuse_loop_cfg_destroy(config); }
};

}  // namespace

Result<std::unique_ptr<Session>> Session::open(const FuseOptions& options, Attached attached,
                                               const fuse_lowlevel_ops& handlers, void* user_data) {
  std::unique_ptr<Session> session(new Session(options, std::move(attached.entry)));
  char program[] = "intact";
  char* argv[] = {program, nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(1, argv);
  session->session_.reset(fuse_session_new(&arguments, &handlers, sizeof handlers, user_data));
  fuse_opt_free_args(&arguments);
  if (!session->session_) return Error(ErrorKind::io, "libfuse cannot create a session");
  // libfuse takes the mounted /dev/fuse, and closes it when the session is destroyed.
  if (fuse_session_mount(session->session_.get(),
                         fmt::format("/dev/fd/{}", attached.device.get()).c_str()) != 0)
    return Error(ErrorKind::io, "libfuse refused the mounted device");
  attached.device.release();
  return session;
}

Session::~Session() {
  session_.reset();
  (void)detach();
}

Result<void> Session::detach() const {
  const auto found = find_mount(entry_.mountpoint);
  if (!found || !*found || (*found)->id != entry_.id || (*found)->device != entry_.device)
    return {};
  return serve::unmount(**found, true);
}

/// Runs beside the loop, since it waits for the loop's first answer.
void Session::announce() {
  struct statfs totals;
  if (::statfs(entry_.mountpoint.c_str(), &totals) != 0 &&
      (errno == ENOTCONN || errno == ECONNABORTED))
    return;  // unmounted at once
  // The kernel reads ahead 128 KiB, which is also the largest request that then comes from plain
  // reads, unless told otherwise here; only root may, and it works without.
  if (const auto knob =
          open_file(fmt::format("/sys/class/bdi/{}/read_ahead_kb", entry_.device), O_WRONLY))
    (void)write_all(knob->get(), as_bytes("1024"));
  if (!ready_) return;
  if (!service::tell_ready(std::move(ready_))) (void)detach();
}

/// Whether there is anything to loop for.
bool Session::begin_loop() {
  // libfuse sees that it should end when a signal interrupts the loop. SIGURG does nothing
  // otherwise, so the handler may stay.
  struct sigaction nothing{};
  nothing.sa_handler = [](int) {};
  ::sigaction(kWakeUp, &nothing, nullptr);
  const std::lock_guard lock(mutex_);
  loop_thread_ = ::pthread_self();
  looping_ = !stopping_;
  return looping_;
}

void Session::end_loop() {
  const std::lock_guard lock(mutex_);
  looping_ = false;
  looped_.notify_all();
}

void Session::stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  if (!looping_) return;
  fuse_session_exit(session_.get());
  // Again, because the loop may be just about to wait.
  do {
    ::pthread_kill(loop_thread_, kWakeUp);
  } while (!looped_.wait_for(lock, kPause, [this] { return !looping_; }));
}

Result<void> Session::loop() {
  const std::unique_ptr<fuse_loop_config, LoopConfigDeleter> config(fuse_loop_cfg_create());
  if (!config) return Error(ErrorKind::io, "out of memory");
  fuse_loop_cfg_set_max_threads(
      config.get(), options_.threads ? options_.threads : std::max(4u, 2 * available_processors()));
  // A queue of its own for each thread. libfuse opens the device again for it, which users that
  // came through fusermount3 may not be allowed to.
  fuse_loop_cfg_set_clone_fd(config.get(), ::access("/dev/fuse", R_OK | W_OK) == 0);
  int status = 0;
  if (begin_loop()) {
    status = fuse_session_loop_mt(session_.get(), config.get());
    end_loop();
  }
  if (status < 0) return Error::from_errno("serving the mount failed", -status);
  return {};
}

Result<void> Session::serve() {
  if (!session_) return Error(ErrorKind::invalid_argument, "this server has already run");
  auto started = start_thread([this] { announce(); });
  std::thread announcer;
  Result<void> served;
  if (started) {
    announcer = std::move(*started);
    served = loop();
  } else {
    served = std::move(started).error();
  }
  // First the connection, then the mount: anyone who still waits for an answer (the announcer,
  // fusermount3) gets an error instead of waiting forever.
  session_.reset();
  if (announcer.joinable()) announcer.join();
  ready_.reset();
  Result<void> detached = detach();
  return served ? std::move(detached) : std::move(served);
}

}  // namespace intact::serve
