#include <algorithm>

#include <sys/resource.h>

#include <intact/serve/fuse_server.h>
#include <intact/service/server.h>

#include "attach.h"
#include "file_service.h"
#include "requests.h"
#include "session.h"

namespace intact::serve {
namespace {

/// How many files the server may keep open: each takes one descriptor. Raises the limit of this
/// process on descriptors as far as that is permitted, and leaves some for other needs.
std::size_t default_max_open_files() {
  constexpr rlim_t kMax = 32768;
  constexpr rlim_t kReserve = 256;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kReserve;
  rlimit raised = limit;
  raised.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, kMax + kReserve));
  if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  const rlim_t left =
      std::max(limit.rlim_cur / 2, limit.rlim_cur - std::min(limit.rlim_cur, kReserve));
  return static_cast<std::size_t>(std::clamp<rlim_t>(left, 1, kMax));
}

}  // namespace

struct FuseServer::Impl {
  // From before there is a mount until there is none: a process that is killed in between leaves
  // one that is dead.
  std::unique_ptr<service::HeldSignals> signals;
  std::shared_ptr<void> service;
  std::unique_ptr<Session> session;  // uses the service
};

FuseServer::FuseServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FuseServer::~FuseServer() = default;

Result<std::unique_ptr<FuseServer>> FuseServer::mount(
    const std::shared_ptr<const tree::FileTree>& tree, const FuseOptions& options) {
  auto signals = std::make_unique<service::HeldSignals>();
  Attached attached = TRY(attach(options, MountKind::directory));
  std::shared_ptr<Service> service(new Service{
      .tree = tree,
      .numbers = NodeNumbers(tree->root()),
      .kernel_checks_permissions = attached.kernel_checks_permissions,
      .log = options.log,
      .open_files =
          OpenFiles(options.max_open_files ? options.max_open_files : default_max_open_files())});
  auto session =
      TRY(Session::open(options, std::move(attached), request_handlers(), service.get()));
  return std::unique_ptr<FuseServer>(new FuseServer(
      std::make_unique<Impl>(Impl{std::move(signals), std::move(service), std::move(session)})));
}

Result<std::unique_ptr<FuseServer>> FuseServer::mount_file(
    const std::shared_ptr<block::Device>& target, const FuseOptions& options) {
  const bool writable = target->writable();
  auto signals = std::make_unique<service::HeldSignals>();
  Attached attached = TRY(attach(options, writable ? MountKind::writable_file : MountKind::file));
  auto service = std::make_shared<FileService>(target, options.allow_other, options.log);
  auto session =
      TRY(Session::open(options, std::move(attached), file_handlers(writable), service.get()));
  return std::unique_ptr<FuseServer>(new FuseServer(
      std::make_unique<Impl>(Impl{std::move(signals), std::move(service), std::move(session)})));
}

Result<void> FuseServer::serve() {
  return impl_->session->serve();
}

void FuseServer::stop() {
  impl_->session->stop();
}

void FuseServer::unmount() {
  (void)impl_->session->detach();
}

const std::string& FuseServer::mountpoint() const {
  return impl_->session->entry().mountpoint;
}

const std::string& FuseServer::device() const {
  return impl_->session->entry().device;
}

}  // namespace intact::serve
