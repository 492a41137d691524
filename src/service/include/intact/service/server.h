#pragma once

#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include <unistd.h>

#include <intact/base/line_log.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/service/status_server.h>

namespace intact::service {

/// Keeps SIGTERM, SIGINT, SIGHUP and SIGQUIT, except those that are ignored, from ending the
/// process as long as it exists: they wait, for Server::end_on_request() or for the end of this
/// object, when they do what they would have done. Made before something that outlives a killed
/// process, such as a mount, and destroyed after that has been undone, by the same thread. No other
/// thread may take signals; those of start_thread() do not.
class HeldSignals {
 public:
  HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  ~HeldSignals();

  const sigset_t& set() const { return set_; }

 private:
  sigset_t set_{};
  sigset_t before_{};
};

/// Waits for the request to end a server: a signal or Server::stop(). The signals are blocked in
/// the thread that made it and received through a descriptor, so no handler is installed, and
/// nothing is global but the mask, which the destructor restores. To be made and destroyed by the
/// first thread of a process; those of start_thread() never get signals.
class EndRequest {
 public:
  EndRequest(const EndRequest&) = delete;
  EndRequest& operator=(const EndRequest&) = delete;
  /// Waits for the callback, if it has been called. Signals that came meanwhile are dropped.
  ~EndRequest();

 private:
  friend class Server;
  EndRequest() = default;
  static Result<std::unique_ptr<EndRequest>> wait(int stop, std::function<void()> end);
  void run(int stop, const std::function<void()>& end) const;

  HeldSignals held_;
  UniqueFd signals_;  // signalfd
  UniqueFd leave_;    // eventfd that ends the thread
  std::thread thread_;
};

/// The life of a process that serves something, whatever it serves and by which protocol:
///
///     Server server({.log_fd = log, ...});               // from here on there is a log
///     ... open what is to be served; server.stop() may be called already ...
///     const auto end = TRY(server.end_on_request([&] { ... }));    // signals end it, too
///     TRY(server.record_mount(device));                  // umount can wait for its end
///     server.publish_status(file, text);
///     ... tell_ready() and leave_terminal() (service/background.h), serve ...
///     return server.close(served, {.close = ..., .summary = ...});
///
/// Destroyed last: who waits for the end of the server finds everything else released. log() and
/// stop() are for any thread.
class Server {
 public:
  struct Options {
    int log_fd = STDERR_FILENO;  ///< borrowed
    /// Nobody reports the errors that close() returns to the user, so they are logged.
    bool logs_errors = false;
    std::string title = {};  ///< what is served, in messages
  };
  explicit Server(Options options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  LineLog& log();
  /// add() of the log as a callback; it must not outlive the server.
  std::function<void(std::string_view)> log_sink();

  /// Ends the server because of damage, which the caller has logged: as by a signal, but close()
  /// then returns tampered. Before end_on_request() it is noted.
  void stop();

  /// Also ends it for a signal that HeldSignals kept waiting. As long as the result exists,
  /// SIGTERM, SIGINT, SIGHUP and SIGQUIT, except those that are ignored, and stop() call `end`:
  /// once, on a thread of its own.
  Result<std::unique_ptr<EndRequest>> end_on_request(std::function<void()> end);

  /// Makes the record (service/mount_record.h) of the file system with this device number.
  Result<void> record_mount(const std::string& device);

  /// Publishes a status (service/status_server.h). What is served is served without it if that
  /// fails, which is logged.
  void publish_status(int known_by, StatusServer::Text text);

  /// How to end what was served.
  struct Closing {
    /// Makes durable what was written. Called once.
    std::function<Result<void>()> close = {};
    /// One line about damage that was met, or nothing.
    std::function<std::string()> summary = {};
  };
  /// Ends the service: withdraws the status, closes, logs the summary. Returns the first error, of
  /// `served` or of the closing; tampered after stop(). An error of the closing that is not
  /// returned is logged. exit_status() of what is returned is that of the process.
  Result<void> close(Result<void> served, const Closing& closing);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace intact::service
