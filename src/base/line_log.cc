#include <ctime>

#include <fmt/format.h>

#include <intact/base/file.h>
#include <intact/base/line_log.h>
#include <intact/base/visible.h>

namespace intact {

void LineLog::add(std::string_view line) {
  const std::lock_guard lock(writing_);
  const bool cut = line.size() > kMaxLineSize;
  const std::string text = std::string(line.substr(0, kMaxLineSize)) + (cut ? "..." : "");
  switch (seen_.add(text)) {
    case DistinctLines::Verdict::fresh:
      return write_line(text);
    case DistinctLines::Verdict::full:
      return write_line("too many different lines: no more are logged");
    case DistinctLines::Verdict::known:
    case DistinctLines::Verdict::over:
      return;
  }
}

void LineLog::write_line(std::string_view line) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char time[40];
  time[std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S%z", &local)] = '\0';
  const std::string text = fmt::format("{} {}\n", time, visible_message(line));
  (void)write_all(fd_, as_bytes(text));
}

}  // namespace intact
