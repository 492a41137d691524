#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

#include <intact/service/mount_record.h>
#include <intact/service/server.h>

#include "runtime_files.h"

namespace intact::service {

// Destroyed from the last member to the first.
struct Server::Impl {
  explicit Impl(Options given)
      : options(std::move(given)), log(options.log_fd), stop(::eventfd(0, EFD_CLOEXEC)) {}

  Options options;
  std::optional<MountRecord> record;
  LineLog log;
  std::unique_ptr<StatusServer> status;
  UniqueFd stop;  // eventfd, readable once the server was stopped
  std::atomic<bool> stopped = false;
};

Server::Server(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}

Server::~Server() = default;

LineLog& Server::log() {
  return impl_->log;
}

std::function<void(std::string_view)> Server::log_sink() {
  return [this](std::string_view line) { impl_->log.add(line); };
}

void Server::stop() {
  const std::uint64_t one = 1;
  impl_->stopped = true;
  (void)(::write(impl_->stop.get(), &one, sizeof one) > 0);
}

Result<std::unique_ptr<EndRequest>> Server::end_on_request(std::function<void()> end) {
  if (!impl_->stop) return Error(ErrorKind::io, "eventfd: too many open files");
  return EndRequest::wait(impl_->stop.get(), std::move(end));
}

Result<void> Server::record_mount(const std::string& device) {
  impl_->record.emplace(TRY(MountRecord::create(device)));
  return {};
}

void Server::publish_status(int known_by, StatusServer::Text text) {
  const auto dir = make_runtime_dir();
  if (!dir) return;
  auto started = StatusServer::start(*dir, known_by, std::move(text));
  if (started)
    impl_->status = std::move(*started);
  else
    impl_->log.add(started.error().message());
}

Result<void> Server::close(Result<void> served, const Closing& closing) {
  impl_->status.reset();
  Result<void> closed = closing.close ? closing.close() : Result<void>();
  // Only one error is returned: the others are heard of in the log or not at all.
  const bool returns_closed = served && !impl_->stopped;
  const bool logs = impl_->options.logs_errors;
  if (!served && logs) impl_->log.add(served.error().message());
  if (!closed && (logs || !returns_closed)) impl_->log.add(closed.error().message());
  if (closing.summary)
    if (const std::string summary = closing.summary(); !summary.empty()) impl_->log.add(summary);
  impl_->log.finish();
  if (served && impl_->stopped)
    return Error(ErrorKind::tampered, impl_->options.title + ": damaged; stopped as requested");
  return served ? std::move(closed) : std::move(served);
}

}  // namespace intact::service
