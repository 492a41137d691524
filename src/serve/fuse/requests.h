#pragma once

// The interface of libfuse 3.12, where the loop's configuration got its maximum number of threads.
#define FUSE_USE_VERSION 312
#include <memory>

#include <fuse_lowlevel.h>

#include <intact/base/error.h>
#include <intact/tree/file_tree.h>

#include "failure_log.h"
#include "node_numbers.h"
#include "open_files.h"

namespace intact::serve {

/// The state that the request handlers share. Thread-safe.
struct Service {
  std::shared_ptr<const tree::FileTree> tree;
  NodeNumbers numbers;
  bool kernel_checks_permissions;
  FailureLog failures;
  bool directories_without_open = false;  ///< set by init, before any other request
  OpenFiles open_files;
};

/// The handlers. A session made with them takes a Service as its user data.
const fuse_lowlevel_ops& request_handlers();

/// The errno for a failed request. An object that is missing from the store is an I/O error like
/// any other; only a missing name, attribute or directory is "not found".
int errno_of_metadata(const Error& error);
int errno_of_content(const Error& error);

}  // namespace intact::serve
