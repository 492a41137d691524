#include "connection.h"

#include <algorithm>
#include <cerrno>
#include <memory>

namespace intact::serve {

namespace {

// A window of read-ahead is several requests, so that several threads check it side by side; what
// one thread checks and copies stays in the cache of its processor.
constexpr unsigned kRequestSize = 256u << 10;
constexpr unsigned kReadAhead = 1u << 20;
constexpr unsigned kMaxBackgroundRequests = 64;

template <typename... Arguments>
void refuse(fuse_req_t request, Arguments...) noexcept {
  fuse_reply_err(request, EROFS);
}

}  // namespace

void want(fuse_conn_info* connection, unsigned capability, bool wanted) {
  if (wanted && (connection->capable & capability))
    connection->want |= capability;
  else
    connection->want &= ~capability;
}

void set_up_for_verified_reads(fuse_conn_info* connection) {
  want(connection, FUSE_CAP_ASYNC_READ);
  // Pages stay: content never changes, and every page has been verified before it got there.
  want(connection, FUSE_CAP_AUTO_INVAL_DATA, false);
  // Replies are verified bytes in our memory. Any pipe or file to splice from could be changed by
  // others.
  want(connection, FUSE_CAP_SPLICE_READ, false);
  want(connection, FUSE_CAP_SPLICE_WRITE, false);
  want(connection, FUSE_CAP_SPLICE_MOVE, false);
  // Locks stay within this machine: the kernel keeps them itself.
  want(connection, FUSE_CAP_POSIX_LOCKS, false);
  want(connection, FUSE_CAP_FLOCK_LOCKS, false);
  connection->max_write = kRequestSize;  // libfuse derives the largest read from it, too
  connection->max_readahead = std::max(connection->max_readahead, kReadAhead);
  connection->max_background = kMaxBackgroundRequests;
  connection->congestion_threshold = kMaxBackgroundRequests * 3 / 4;
}

char* reply_buffer(std::size_t size) {
  thread_local std::unique_ptr<char[]> buffer;
  thread_local std::size_t capacity = 0;
  if (capacity < size) {
    capacity = std::max<std::size_t>(size, kRequestSize);
    buffer.reset(new char[capacity]);
  }
  return buffer.get();
}

void refuse_changes(fuse_lowlevel_ops& handlers) {
  handlers.setattr = refuse;
  handlers.mknod = refuse;
  handlers.mkdir = refuse;
  handlers.unlink = refuse;
  handlers.rmdir = refuse;
  handlers.symlink = refuse;
  handlers.rename = refuse;
  handlers.link = refuse;
  handlers.create = refuse;
  handlers.write = refuse;
  handlers.fallocate = refuse;
  handlers.setxattr = refuse;
  handlers.removexattr = refuse;
}

}  // namespace intact::serve
