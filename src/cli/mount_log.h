#pragma once

#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/image/damage.h>

namespace intact::cli {

/// Lines with a time, each different one once: damage is met again at every attempt to read it.
/// Thread-safe.
class MountLog {
 public:
  explicit MountLog(int fd) : fd_(fd) {}  ///< `fd` stays the caller's

  void add(std::string_view line);
  void add(const image::Damage& damage);

 private:
  void write_line(std::string_view line);

  int fd_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> lines_;
};

/// The file that a mount server logs to.
class LogFile {
 public:
  /// `given`, which is appended to, or when empty a new one in the runtime directory that is named
  /// after the image.
  static Result<LogFile> open(const std::string& given, const std::string& image_name);

  /// At the end: a log in the runtime directory that nothing was written to is not left there.
  void tidy_up() const;

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }  ///< absolute

 private:
  LogFile() = default;
  std::string path_;
  UniqueFd fd_;
  bool is_ours_ = false;
};

}  // namespace intact::cli
