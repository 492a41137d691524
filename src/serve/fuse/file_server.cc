#include <algorithm>
#include <cerrno>
#include <ctime>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/serve/file_server.h>

#include "attach.h"
#include "connection.h"
#include "failure_log.h"
#include "session.h"

namespace intact::serve {

namespace {

/// What the handlers work with. Thread-safe.
struct FileService {
  std::shared_ptr<const block::BlockTarget> target;
  struct stat status;
  FailureLog failures;
};

FileService& service_of(fuse_req_t request) {
  return *static_cast<FileService*>(fuse_req_userdata(request));
}

struct stat status_of(const block::BlockTarget& target, bool for_all) {
  struct stat status{};
  status.st_ino = FUSE_ROOT_ID;
  status.st_mode = S_IFREG | (for_all ? 0444 : 0400);
  status.st_nlink = 1;
  status.st_uid = ::geteuid();
  status.st_gid = ::getegid();
  status.st_size = static_cast<off_t>(target.size());
  status.st_blksize = std::max<blksize_t>(4096, target.block_size());
  status.st_blocks = static_cast<blkcnt_t>(target.size() / 512);
  ::clock_gettime(CLOCK_REALTIME, &status.st_mtim);
  status.st_atim = status.st_ctim = status.st_mtim;
  return status;
}

void init(void*, fuse_conn_info* connection) noexcept {
  set_up_for_verified_reads(connection);
}

void getattr(fuse_req_t request, fuse_ino_t, fuse_file_info*) noexcept {
  fuse_reply_attr(request, &service_of(request).status, kUnchanging);
}

void open(fuse_req_t request, fuse_ino_t, fuse_file_info* info) noexcept {
  if ((info->flags & O_ACCMODE) != O_RDONLY || info->flags & O_TRUNC) {
    fuse_reply_err(request, EROFS);
    return;
  }
  info->keep_cache = 1;  // pages in the cache have been verified
  info->noflush = 1;
  fuse_reply_open(request, info);
}

void read(fuse_req_t request, fuse_ino_t, std::size_t size, off_t offset,
          fuse_file_info*) noexcept {
  FileService& service = service_of(request);
  const auto begin = static_cast<std::uint64_t>(offset);
  const std::uint64_t end = service.target->size();
  const std::size_t count = begin >= end ? 0 : std::min<std::uint64_t>(size, end - begin);
  char* const buffer = reply_buffer(count);
  const auto done = service.target->read(begin, {reinterpret_cast<std::byte*>(buffer), count});
  if (!done) {
    // All of the request or nothing: a short reply would look like the end of the file. The kernel
    // asks again for single pages, and only those that are bad fail again.
    if (done.error().kind() != ErrorKind::tampered)
      service.failures.add(
          fmt::format("read of {} bytes at byte {}: {}", count, begin, done.error().message()));
    fuse_reply_err(request, EIO);
    return;
  }
  fuse_reply_buf(request, buffer, count);
}

fuse_lowlevel_ops make_handlers() {
  fuse_lowlevel_ops handlers{};
  handlers.init = init;
  handlers.getattr = getattr;
  handlers.open = open;
  handlers.read = read;
  handlers.setattr = refuse;
  handlers.write = refuse;
  handlers.fallocate = refuse;
  handlers.setxattr = refuse;
  handlers.removexattr = refuse;
  return handlers;
}

}  // namespace

struct FileServer::Impl {
  FileService service;
  std::unique_ptr<Session> session;  // uses the service
};

FileServer::FileServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FileServer::~FileServer() = default;

Result<std::unique_ptr<FileServer>> FileServer::mount(
    const std::shared_ptr<const block::BlockTarget>& target, const FuseOptions& options) {
  Attached attached = TRY(attach(options, MountKind::file));
  std::unique_ptr<Impl> impl(new Impl{
      .service = {target, status_of(*target, options.allow_other), FailureLog(options.log)},
      .session = nullptr});
  static const fuse_lowlevel_ops handlers = make_handlers();
  impl->session = TRY(Session::open(options, std::move(attached), handlers, &impl->service));
  return std::unique_ptr<FileServer>(new FileServer(std::move(impl)));
}

Result<void> FileServer::serve() {
  return impl_->session->serve();
}

void FileServer::unmount() {
  (void)impl_->session->detach();
}

const std::string& FileServer::mountpoint() const {
  return impl_->session->entry().mountpoint;
}

const std::string& FileServer::device() const {
  return impl_->session->entry().device;
}

}  // namespace intact::serve
