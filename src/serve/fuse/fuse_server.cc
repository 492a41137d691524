#include <intact/serve/fuse_server.h>

#include "attach.h"
#include "requests.h"
#include "session.h"

namespace intact::serve {

struct FuseServer::Impl {
  Service service;
  std::unique_ptr<Session> session;  // uses the service
};

FuseServer::FuseServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FuseServer::~FuseServer() = default;

Result<std::unique_ptr<FuseServer>> FuseServer::mount(
    const std::shared_ptr<const tree::FileTree>& tree, const FuseOptions& options) {
  Attached attached = TRY(attach(options, MountKind::directory));
  std::unique_ptr<Impl> impl(
      new Impl{.service = {tree, NodeNumbers(tree->root()), attached.kernel_checks_permissions,
                           FailureLog(options.log)},
               .session = nullptr});
  impl->session =
      TRY(Session::open(options, std::move(attached), request_handlers(), &impl->service));
  return std::unique_ptr<FuseServer>(new FuseServer(std::move(impl)));
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
