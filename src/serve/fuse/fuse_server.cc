#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/worker_pool.h>
#include <intact/serve/fuse_server.h>
#include <intact/serve/mounts.h>

#include "attach.h"
#include "requests.h"

namespace intact::serve {

namespace {

struct SessionDeleter {
  void operator()(fuse_session* session) const { fuse_session_destroy(session); }
};
using Session = std::unique_ptr<fuse_session, SessionDeleter>;

struct LoopConfigDeleter {
  void operator()(fuse_loop_config* config) const { fuse_loop_cfg_destroy(config); }
};

/// libfuse's session over a mounted /dev/fuse, which it closes when it is destroyed.
Result<Session> open_session(Service& service, UniqueFd device) {
  char program[] = "intact";
  char* argv[] = {program, nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(1, argv);
  const fuse_lowlevel_ops& handlers = request_handlers();
  Session session(fuse_session_new(&arguments, &handlers, sizeof handlers, &service));
  fuse_opt_free_args(&arguments);
  if (!session) return Error(ErrorKind::io, "libfuse cannot make a session");
  if (fuse_session_mount(session.get(), fmt::format("/dev/fd/{}", device.get()).c_str()) != 0)
    return Error(ErrorKind::io, "libfuse does not take the mounted device");
  device.release();
  return session;
}

}  // namespace

struct FuseServer::Impl {
  Impl(const std::shared_ptr<const tree::FileTree>& tree, const FuseOptions& given,
       Attached& attached)
      : options(given),
        entry(attached.entry),
        service{tree, NodeNumbers(tree->root()), attached.kernel_checks_permissions,
                FailureLog(given.log)} {}
  ~Impl() {
    session.reset();
    (void)detach();
  }

  /// Takes our mount away; one that has since come on top or in its place stays.
  Result<void> detach() const {
    const auto found = find_mount(entry.mountpoint);
    if (!found || !*found || (*found)->id != entry.id || (*found)->device != entry.device)
      return {};
    return serve::unmount(entry.mountpoint, true);
  }

  void announce();
  Result<void> loop();

  FuseOptions options;
  MountEntry entry;
  Service service;
  Session session;
  UniqueFd ready;
};

/// Runs beside the loop, since it waits for the loop's first answer.
void FuseServer::Impl::announce() {
  struct statfs totals;
  if (::statfs(entry.mountpoint.c_str(), &totals) != 0 &&
      (errno == ENOTCONN || errno == ECONNABORTED))
    return;  // unmounted at once
  // The kernel reads ahead 128 KiB, which is also the largest request that then comes from plain
  // reads, unless told otherwise here; only root may, and it works without.
  if (const auto knob =
          open_file(fmt::format("/sys/class/bdi/{}/read_ahead_kb", entry.device), O_WRONLY))
    (void)write_all(knob->get(), as_bytes("1024"));
  if (!ready) return;
  const bool heard = write_all(ready.get(), as_bytes({&kReady, 1})).has_value();
  ready.reset();
  if (!heard) (void)detach();
}

Result<void> FuseServer::Impl::loop() {
  const std::unique_ptr<fuse_loop_config, LoopConfigDeleter> config(fuse_loop_cfg_create());
  if (!config) return Error(ErrorKind::io, "out of memory");
  fuse_loop_cfg_set_max_threads(
      config.get(), options.threads ? options.threads : std::max(4u, 2 * available_processors()));
  // A queue of its own for each thread. libfuse opens the device again for it, which users that
  // came through fusermount3 may not be allowed to.
  fuse_loop_cfg_set_clone_fd(config.get(), ::access("/dev/fuse", R_OK | W_OK) == 0);
  const int status = fuse_session_loop_mt(session.get(), config.get());
  if (status < 0) return Error::from_errno("serving the mount failed", -status);
  return {};  // 0: unmounted; positive: the signal that ended it
}

FuseServer::FuseServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FuseServer::~FuseServer() = default;

Result<std::unique_ptr<FuseServer>> FuseServer::mount(
    const std::shared_ptr<const tree::FileTree>& tree, const FuseOptions& options) {
  Attached attached = TRY(attach(options));
  auto impl = std::make_unique<Impl>(tree, options, attached);
  impl->session = TRY(open_session(impl->service, std::move(attached.device)));
  impl->ready.reset(options.ready_fd);
  return std::unique_ptr<FuseServer>(new FuseServer(std::move(impl)));
}

Result<void> FuseServer::serve() {
  Impl& impl = *impl_;
  if (!impl.session) return Error(ErrorKind::invalid_argument, "this server has served already");
  if (impl.options.handle_signals && fuse_set_signal_handlers(impl.session.get()) != 0)
    return Error(ErrorKind::io, "cannot set signal handlers");
  // Signals are for this thread, which they wake up.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread announcer([&impl] { impl.announce(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  Result<void> served = impl.loop();
  if (impl.options.handle_signals) fuse_remove_signal_handlers(impl.session.get());
  // First the connection, then the mount: whoever still waits for an answer (the announcer,
  // fusermount3) gets an error instead of waiting for ever.
  impl.session.reset();
  announcer.join();
  impl.ready.reset();
  Result<void> detached = impl.detach();
  return served ? std::move(detached) : std::move(served);
}

void FuseServer::unmount() {
  (void)impl_->detach();
}

const std::string& FuseServer::mountpoint() const {
  return impl_->entry.mountpoint;
}

const std::string& FuseServer::device() const {
  return impl_->entry.device;
}

}  // namespace intact::serve
