#pragma once

// The interface of libfuse 3.12, where the loop's configuration got its maximum number of threads.
#define FUSE_USE_VERSION 312
#include <atomic>
#include <cstdint>
#include <memory>

#include <fuse_lowlevel.h>

#include <intact/block/device.h>
#include <intact/serve/fuse_server.h>

#include "connection.h"

namespace intact::serve {

/// What the handlers of a mounted block device work with. Thread-safe.
struct FileService {
  FileService(std::shared_ptr<block::Device> device, bool for_all, FailureSink log);

  std::shared_ptr<block::Device> target;  ///< takes writes of any bytes
  const bool readable_by_all;
  /// Whether a descriptor was ever open for writing. From then on the kernel may have pages of a
  /// mapping that were not written yet, also where the device has a hole.
  std::atomic<bool> was_opened_for_writing = false;
  std::atomic<std::int64_t> changed;  ///< mtime, in nanoseconds since 1970
  const FailureSink log;
};

/// The handlers. A session made with them takes a FileService as its user data.
const fuse_lowlevel_ops& file_handlers(bool writable);

}  // namespace intact::serve
