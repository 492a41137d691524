#pragma once

// The interface of libfuse 3.12, where the loop's configuration got its maximum number of threads.
#define FUSE_USE_VERSION 312
#include <condition_variable>
#include <memory>
#include <mutex>

#include <fuse_lowlevel.h>
#include <pthread.h>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/serve/fuse_server.h>

#include "attach.h"

namespace intact::serve {

/// One mount and the loop that answers its requests, whatever they are answered with.
/// serve() belongs to one thread; detach() and stop() may be called from any.
class Session {
 public:
  /// Takes over what is mounted. The handlers get `user_data`, which must outlive the session.
  static Result<std::unique_ptr<Session>> open(const FuseOptions& options, Attached attached,
                                               const fuse_lowlevel_ops& handlers, void* user_data);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  /// Unmounts what is still mounted.
  ~Session();

  /// As FuseServer's.
  Result<void> serve();
  void stop();
  /// Takes our mount away; one that has since come on top or in its place stays.
  Result<void> detach() const;

  const MountEntry& entry() const { return entry_; }

 private:
  struct Deleter {
    void operator()(fuse_session* session) const { fuse_session_destroy(session); }
  };

  Session(const FuseOptions& options, MountEntry entry)
      : options_(options), entry_(std::move(entry)), ready_(options.ready_fd) {}
  void announce();
  bool begin_loop();
  void end_loop();
  Result<void> loop();

  FuseOptions options_;
  MountEntry entry_;
  std::unique_ptr<fuse_session, Deleter> session_;
  UniqueFd ready_;

  std::mutex mutex_;  ///< of the following
  std::condition_variable looped_;
  bool stopping_ = false;
  bool looping_ = false;
  pthread_t loop_thread_{};
};

}  // namespace intact::serve
