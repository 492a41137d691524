#include <clocale>
#include <cstdlib>
#include <cstring>

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <intact/report/view.h>

namespace intact::report {

TerminalStyle style_of(int fd) {
  TerminalStyle style;
  if (::isatty(fd) != 1) return style;
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.columns = size.ws_col;
  std::setlocale(LC_CTYPE, "");
  style.unicode = std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0;
  const char* const no_color = std::getenv("NO_COLOR");
  style.colour = no_color == nullptr || *no_color == '\0';
  return style;
}

}  // namespace intact::report
