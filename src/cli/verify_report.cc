#include "verify_report.h"

#include <clocale>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/report/html_page.h>

namespace intact::cli {

Result<void> write_report(const std::string& file, const report::View& view) {
  return write_file_durably(file, as_bytes(report::to_html(view)), 0644);
}

Result<void> write_failure_report(const std::string& file, const std::string& image,
                                  const Error& error) {
  switch (error.kind()) {
    case ErrorKind::tampered:
    case ErrorKind::untrusted:
    case ErrorKind::malformed:
      return write_report(file, report::make_failed_view(image, current_time(), error));
    default:
      return {};
  }
}

report::TerminalStyle terminal_style() {
  report::TerminalStyle style;
  if (::isatty(STDOUT_FILENO) != 1) return style;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    style.columns = size.ws_col;
  std::setlocale(LC_CTYPE, "");
  style.unicode = std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0;
  const char* const no_color = std::getenv("NO_COLOR");
  style.colour = no_color == nullptr || *no_color == '\0';
  return style;
}

std::int64_t current_time() {
  return std::time(nullptr);
}

}  // namespace intact::cli
