#include "verify_report.h"

#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <intact/report/view.h>

#include "command.h"

namespace intact::cli {

ReportFile::ReportFile(const std::string& path) {
  if (path.empty()) return;
  auto opened = path == "-" ? OutputFile::standard_output()
                            : OutputFile::create(path, OutputFile::Existing::replace, 0644);
  if (opened) {
    file_.emplace(std::move(*opened));
  } else {
    note(std::move(opened).error());
  }
}

void ReportFile::note(Result<void> result) {
  if (result) return;
  warn("the report: " + result.error().message());
  failure_.emplace(std::move(result).error());
}

void ReportFile::write(const report::View& view) {
  if (!file_) return;
  std::fflush(stdout);  // the page may follow it to the same place
  auto written = file_->write(as_bytes(report::to_html(view)));
  note(written ? file_->publish() : std::move(written));
}

void ReportFile::write_failure(const std::string& image, const Error& error,
                               const report::Circumstances& circumstances) {
  switch (error.kind()) {
    case ErrorKind::tampered:
    case ErrorKind::untrusted:
    case ErrorKind::malformed:
      return write(report::make_failed_view(image, current_time(), error, circumstances));
    default:
      return;
  }
}

Result<int> ReportFile::end_with(int verdict) {
  if (verdict == 0 && failure_) return std::move(*failure_);
  return verdict;
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
