#include "file_service.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/error.h>
#include <intact/block/byte_device.h>

namespace intact::serve {

namespace {

constexpr std::int64_t kNanoseconds = 1'000'000'000;

std::int64_t now() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

FileService& service_of(fuse_req_t request) {
  return *static_cast<FileService*>(fuse_req_userdata(request));
}

/// Damage is not logged here: the target has told of it by its block.
void fail(fuse_req_t request, const char* what, std::uint64_t offset, std::uint64_t length,
          const Error& error) {
  if (error.kind() != ErrorKind::tampered)
    log_failure(service_of(request).log, fmt::format("{} of {} bytes at byte {}: {}", what, length,
                                                     offset, error.message()));
  fuse_reply_err(request, errno_of_content(error));
}

/// How many of the bytes lie before the end of the device.
std::uint64_t within(const FileService& service, std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = service.target->size();
  return offset >= end ? 0 : std::min(length, end - offset);
}

struct stat status_of(const FileService& service) {
  const block::Device& target = *service.target;
  struct stat status{};
  status.st_ino = FUSE_ROOT_ID;
  status.st_mode =
      S_IFREG | 0400 | (target.writable() ? 0200 : 0) | (service.readable_by_all ? 0044 : 0);
  status.st_nlink = 1;
  status.st_uid = ::geteuid();
  status.st_gid = ::getegid();
  status.st_size = static_cast<off_t>(target.size());
  status.st_blksize = 4096;
  status.st_blocks = static_cast<blkcnt_t>(target.size() / 512);
  const std::int64_t changed = service.changed;
  status.st_mtim = {.tv_sec = changed / kNanoseconds, .tv_nsec = changed % kNanoseconds};
  status.st_atim = status.st_ctim = status.st_mtim;
  return status;
}

void reply_status(fuse_req_t request) {
  const struct stat status = status_of(service_of(request));
  // After a write of its own the kernel asks again in any case.
  fuse_reply_attr(request, &status, kUnchanging);
}

void init(void*, fuse_conn_info* connection) noexcept {
  set_up_for_verified_reads(connection);
}

void getattr(fuse_req_t request, fuse_ino_t, fuse_file_info*) noexcept {
  reply_status(request);
}

void open(fuse_req_t request, fuse_ino_t, fuse_file_info* info) noexcept {
  const bool truncates = info->flags & O_TRUNC;
  const bool writes = truncates || (info->flags & O_ACCMODE) != O_RDONLY;
  const bool writable = service_of(request).target->writable();
  if (truncates || (writes && !writable)) {
    fuse_reply_err(request, writable ? EPERM : EROFS);
    return;
  }
  if (writes) service_of(request).was_opened_for_writing = true;
  // Pages in the cache have been verified and do not become stale: the kernel updates them with
  // what is written, or drops them, and nobody else may change the device.
  info->keep_cache = 1;
  info->noflush = 1;
  fuse_reply_open(request, info);
}

void read(fuse_req_t request, fuse_ino_t, std::size_t size, off_t offset,
          fuse_file_info*) noexcept {
  FileService& service = service_of(request);
  const auto begin = static_cast<std::uint64_t>(offset);
  const std::size_t count = within(service, begin, size);
  char* const buffer = reply_buffer(count);
  const auto done = service.target->read(begin, {reinterpret_cast<std::byte*>(buffer), count});
  // All of the request or nothing: a short reply would look like the end of the file. The kernel
  // asks again for single pages, and only those that are bad fail again.
  if (!done) return fail(request, "read", begin, count, done.error());
  fuse_reply_buf(request, buffer, count);
}

void write(fuse_req_t request, fuse_ino_t, const char* bytes, std::size_t size, off_t offset,
           fuse_file_info*) noexcept {
  FileService& service = service_of(request);
  const auto begin = static_cast<std::uint64_t>(offset);
  const std::size_t count = within(service, begin, size);
  if (count == 0 && size != 0) {
    fuse_reply_err(request, ENOSPC);
    return;
  }
  const auto done = service.target->write(begin, as_bytes({bytes, count}));
  service.changed = now();  // perhaps in part if it failed
  if (!done) return fail(request, "write", begin, count, done.error());
  fuse_reply_write(request, count);
}

void fsync(fuse_req_t request, fuse_ino_t, int, fuse_file_info*) noexcept {
  const auto done = service_of(request).target->flush();
  if (!done) return fail(request, "flush", 0, service_of(request).target->size(), done.error());
  fuse_reply_err(request, 0);
}

void fallocate(fuse_req_t request, fuse_ino_t, int mode, off_t offset, off_t length,
               fuse_file_info*) noexcept {
  FileService& service = service_of(request);
  // Nothing can promise space of a device that may be encrypted, checked or thin.
  if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) == 0) {
    fuse_reply_err(request, EOPNOTSUPP);
    return;
  }
  const auto begin = static_cast<std::uint64_t>(offset);
  const auto wanted = static_cast<std::uint64_t>(length);
  const std::uint64_t count = within(service, begin, wanted);
  // Beyond the end there is nothing to punch, but nothing can be zeroed there either.
  if (count < wanted && (mode & FALLOC_FL_PUNCH_HOLE) == 0) {
    fuse_reply_err(request, ENOSPC);
    return;
  }
  if (count == 0) {
    fuse_reply_err(request, 0);
    return;
  }
  const auto done = service.target->zero(begin, count);
  service.changed = now();
  if (!done) return fail(request, "zeroing", begin, count, done.error());
  fuse_reply_err(request, 0);
}

void setattr(fuse_req_t request, fuse_ino_t, struct stat* wanted, int changes,
             fuse_file_info*) noexcept {
  FileService& service = service_of(request);
  constexpr int kTimes = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME |
                         FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_CTIME;
  const bool same_size = static_cast<std::uint64_t>(wanted->st_size) == service.target->size();
  if ((changes & ~(kTimes | FUSE_SET_ATTR_SIZE)) != 0 ||
      ((changes & FUSE_SET_ATTR_SIZE) != 0 && !same_size)) {
    fuse_reply_err(request, EPERM);
    return;
  }
  if (changes & FUSE_SET_ATTR_MTIME_NOW)
    service.changed = now();
  else if (changes & FUSE_SET_ATTR_MTIME)
    service.changed = wanted->st_mtim.tv_sec * kNanoseconds + wanted->st_mtim.tv_nsec;
  reply_status(request);
}

/// The first byte from `begin` on, before `end`, that lies in a hole (or in data); `end` if none.
Result<std::uint64_t> find(const block::Device& device, std::uint64_t begin, std::uint64_t end,
                           bool hole) {
  std::uint64_t at = begin;
  for (bool found = false; !found && at < end;) {
    const std::uint64_t before = at;
    TRY(device.extents(at, end - at, [&](const block::Extent& extent) {
      found = (extent.kind != block::ExtentKind::data) == hole;
      if (!found) at = extent.offset + extent.length;
      return !found;
    }));
    if (!found && at == before) break;
  }
  return at;
}

void lseek(fuse_req_t request, fuse_ino_t, off_t offset, int whence, fuse_file_info*) noexcept {
  FileService& service = service_of(request);
  const auto begin = static_cast<std::uint64_t>(offset);
  const std::uint64_t end = service.target->size();
  const bool hole = whence == SEEK_HOLE;
  if (offset < 0 || begin >= end || (!hole && whence != SEEK_DATA)) {
    fuse_reply_err(request, offset >= 0 && begin >= end ? ENXIO : EINVAL);
    return;
  }
  if (service.was_opened_for_writing) {  // everything is data, and there is a hole at the end
    fuse_reply_lseek(request, static_cast<off_t>(hole ? end : begin));
    return;
  }
  const auto found = find(*service.target, begin, end, hole);
  if (!found) return fail(request, "search for holes", begin, end - begin, found.error());
  if (!hole && *found == end)
    fuse_reply_err(request, ENXIO);
  else
    fuse_reply_lseek(request, static_cast<off_t>(*found));
}

fuse_lowlevel_ops make_handlers(bool writable) {
  fuse_lowlevel_ops handlers{};
  handlers.init = init;
  handlers.getattr = getattr;
  handlers.open = open;
  handlers.read = read;
  handlers.fsync = fsync;
  handlers.lseek = lseek;
  if (writable) {
    handlers.setattr = setattr;
    handlers.write = write;
    handlers.fallocate = fallocate;
  } else {
    refuse_changes(handlers);
  }
  return handlers;
}

}  // namespace

FileService::FileService(std::shared_ptr<block::Device> device, bool for_all,
                         FailureSink failure_log)
    : target(std::move(device)),
      readable_by_all(for_all),
      changed(now()),
      log(std::move(failure_log)) {
  if (target->writable() && target->block_size() > 1)
    target = std::make_shared<block::ByteDevice>(std::move(target));
}

const fuse_lowlevel_ops& file_handlers(bool writable) {
  static const fuse_lowlevel_ops handlers[] = {make_handlers(false), make_handlers(true)};
  return handlers[writable ? 1 : 0];
}

}  // namespace intact::serve
