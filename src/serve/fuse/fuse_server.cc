#include <intact/serve/fuse_server.h>

#include "attach.h"
#include "file_service.h"
#include "requests.h"
#include "session.h"

namespace intact::serve {

struct FuseServer::Impl {
  std::shared_ptr<void> service;
  std::unique_ptr<Session> session;  // uses the service
};

FuseServer::FuseServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FuseServer::~FuseServer() = default;

Result<std::unique_ptr<FuseServer>> FuseServer::mount(
    const std::shared_ptr<const tree::FileTree>& tree, const FuseOptions& options) {
  Attached attached = TRY(attach(options, MountKind::directory));
  std::shared_ptr<Service> service(
      new Service{.tree = tree,
                  .numbers = NodeNumbers(tree->root()),
                  .kernel_checks_permissions = attached.kernel_checks_permissions,
                  .failures = FailureLog(options.log)});
  auto session =
      TRY(Session::open(options, std::move(attached), request_handlers(), service.get()));
  return std::unique_ptr<FuseServer>(
      new FuseServer(std::make_unique<Impl>(Impl{std::move(service), std::move(session)})));
}

Result<std::unique_ptr<FuseServer>> FuseServer::mount_file(
    const std::shared_ptr<block::BlockTarget>& target, const FuseOptions& options) {
  const bool writable = target->writable();
  Attached attached = TRY(attach(options, writable ? MountKind::writable_file : MountKind::file));
  auto service = std::make_shared<FileService>(target, options.allow_other, options.log);
  auto session =
      TRY(Session::open(options, std::move(attached), file_handlers(writable), service.get()));
  return std::unique_ptr<FuseServer>(
      new FuseServer(std::make_unique<Impl>(Impl{std::move(service), std::move(session)})));
}

Result<void> FuseServer::serve() {
  return impl_->session->serve();
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
