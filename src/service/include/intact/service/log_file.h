#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::service {

/// The file that a server logs to.
class LogFile {
 public:
  /// Opens `given` for appending or, if that is empty, a new file in the runtime directory that is
  /// named after `title`, such as an image's name.
  static Result<LogFile> open(const std::string& given, const std::string& title);

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

}  // namespace intact::service
