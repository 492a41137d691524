#pragma once

#include <string>

#include <intact/base/line_log.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/image/damage.h>

namespace intact::cli {

/// The log of a mount server. Thread-safe.
class MountLog : public LineLog {
 public:
  using LineLog::add;
  using LineLog::LineLog;
  void add(const image::Damage& damage);
};

/// The file that a mount server logs to.
class LogFile {
 public:
  /// Opens `given` for appending or, if that is empty, a new file in the runtime directory that is
  /// named after the image.
  static Result<LogFile> open(const std::string& given, const std::string& image_name);

  /// Removes a log in the runtime directory that nothing was written to. To be called at the end.
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
