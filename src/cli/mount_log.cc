#include "mount_log.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <intact/base/file.h>

#include "mount_record.h"

namespace intact::cli {
namespace {

constexpr std::size_t kMostLines = 100000;

}  // namespace

void MountLog::add(std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (lines_.size() >= kMostLines || !lines_.emplace(line).second) return;
  write_line(line);
  if (lines_.size() == kMostLines) write_line("too many different lines: no more are logged");
}

void MountLog::add(const image::Damage& damage) {
  add(fmt::format("DAMAGED {}: block {} (byte {}) of {}: {}",
                  damage.path.empty() ? "(image metadata)" : damage.path, damage.block,
                  damage.offset, damage.object, damage.reason));
}

void MountLog::write_line(std::string_view line) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char time[40];
  time[std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S%z", &local)] = '\0';
  std::string text = fmt::format("{} {}", time, line);
  // Paths come from the image: none of them may forge a line or steer a terminal.
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  text += '\n';
  (void)write_all(fd_, as_bytes(text));
}

Result<LogFile> LogFile::open(const std::string& given, const std::string& image_name) {
  LogFile log;
  log.path_ = given;
  if (given.empty()) {
    std::string name = image_name;
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

}  // namespace intact::cli
