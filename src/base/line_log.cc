#include <algorithm>
#include <ctime>

#include <fmt/format.h>

#include <intact/base/file.h>
#include <intact/base/line_log.h>

namespace intact {
namespace {

constexpr std::size_t kMostLines = 100000;

}  // namespace

void LineLog::add(std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (lines_.size() >= kMostLines || !lines_.emplace(line).second) return;
  write_line(line);
  if (lines_.size() == kMostLines) write_line("too many different lines: no more are logged");
}

void LineLog::write_line(std::string_view line) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char time[40];
  time[std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S%z", &local)] = '\0';
  std::string text = fmt::format("{} {}", time, line);
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  text += '\n';
  (void)write_all(fd_, as_bytes(text));
}

}  // namespace intact
