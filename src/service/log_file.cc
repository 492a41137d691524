#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/service/log_file.h>

#include "runtime_files.h"

namespace intact::service {

Result<LogFile> LogFile::open(const std::string& given, const std::string& title) {
  LogFile log;
  log.path_ = given;
  if (given.empty()) {
    std::string name = title;
    std::replace_if(
        name.begin(), name.end(),
        [](unsigned char c) { return !std::isalnum(c) && c != '.' && c != '-'; }, '_');
    name = name.substr(0, 100);
    const std::string dir = TRY(make_runtime_dir());
    name = fmt::format("{}-{}.log", name, ::getpid());
    log.path_ = dir + "/" + name;
    log.fd_ = TRY(make_runtime_file(dir, name));
    log.is_ours_ = true;
    return log;
  } else if (given.front() != '/') {
    char* const here = ::getcwd(nullptr, 0);
    if (here == nullptr) return Error::from_errno("cannot tell the current directory", errno);
    log.path_ = fmt::format("{}/{}", here, given);
    std::free(here);
  }
  log.fd_ = TRY(
      open_file(log.path_, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600).context("log file"));
  return log;
}

void LogFile::tidy_up() const {
  const auto size = file_size(fd_.get());
  if (is_ours_ && size && *size == 0) ::unlink(path_.c_str());
}

}  // namespace intact::service
