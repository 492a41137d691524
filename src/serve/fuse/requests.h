#pragma once

// The interface of libfuse 3.12, where the loop's configuration got its maximum number of threads.
#define FUSE_USE_VERSION 312
#include <memory>

#include <fuse_lowlevel.h>

#include <intact/serve/fuse_server.h>
#include <intact/tree/file_tree.h>

#include "node_numbers.h"
#include "open_files.h"

namespace intact::serve {

/// The state that the request handlers share. Thread-safe.
struct Service {
  std::shared_ptr<const tree::FileTree> tree;
  NodeNumbers numbers;
  bool kernel_checks_permissions;
  FailureSink log;
  bool directories_without_open = false;  ///< set by init, before any other request
  OpenFiles open_files;
};

/// The handlers. A session made with them takes a Service as its user data.
const fuse_lowlevel_ops& request_handlers();

}  // namespace intact::serve
