#pragma once

#include <string>

#include <intact/base/line_log.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/image/damage.h>

namespace intact::cli {

/// What a mount server tells of damage. Thread-safe.
class MountLog : public LineLog {
 public:
  using LineLog::add;
  using LineLog::LineLog;
  void add(const image::Damage& damage);
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
