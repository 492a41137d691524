#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <intact/base/visible.h>
#include <intact/console/output.h>
#include <intact/json/json.h>

namespace intact::console {
namespace {

/// A descriptor that is written to through the guard.
struct Guarded {
  int fd;
  int error = 0;        ///< errno of the first write that failed
  std::string pending;  ///< the first bytes of a character
  bool line_begins = true;
  bool in_json = false;  ///< the line began as a document does

  void write_raw(std::string_view text) {
    while (!text.empty() && error == 0) {
      const ssize_t n = ::write(fd, text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        error = errno;
      } else {
        text.remove_prefix(static_cast<std::size_t>(n));
      }
    }
  }
};

Guarded guarded_stdout{.fd = STDOUT_FILENO, .pending = {}};
Guarded guarded_stderr{.fd = STDERR_FILENO, .pending = {}};

/// How many bytes at the end of `text` begin a character that is not complete.
std::size_t incomplete_end(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0) == 0x80) continue;
    const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

/// \uNNNN, with a surrogate pair where one is needed.
std::string json_escape(std::string_view character) {
  std::uint32_t code = static_cast<unsigned char>(character[0]);
  if (character.size() > 1) code &= 0xffU >> (character.size() + 1);
  for (const char c : character.substr(1))
    code = code << 6 | (static_cast<unsigned char>(c) & 0x3fU);
  if (code < 0x10000) return fmt::format("\\u{:04x}", code);
  code -= 0x10000;
  return fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (code >> 10), 0xdc00 + (code & 0x3ff));
}

/// Part of a line as it may be shown.
std::string shown(std::string_view text, bool in_json) {
  std::string people = visible_message(text);
  if (!in_json || people == text) return people;
  std::string out;
  while (!text.empty()) {
    std::size_t length = 1;
    while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80)
      ++length;
    const std::string_view character = text.substr(0, length);
    out +=
        visible_message(character) == character ? std::string(character) : json_escape(character);
    text.remove_prefix(length);
  }
  return out;
}

void write_guarded(Guarded& to, std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    if (to.line_begins) to.in_json = text[0] == '{' || text[0] == '[';
    const std::size_t end = text.find_first_of("\n\t");
    out += shown(text.substr(0, end), to.in_json);
    to.line_begins = end != std::string_view::npos && text[end] == '\n';
    if (end == std::string_view::npos) break;
    out += text[end];
    text.remove_prefix(end + 1);
  }
  to.write_raw(out);
}

/// For fopencookie(3).
ssize_t take(void* cookie, const char* data, std::size_t size) {
  Guarded& to = *static_cast<Guarded*>(cookie);
  std::string text = std::exchange(to.pending, {});
  text.append(data, size);
  const std::size_t rest = incomplete_end(text);
  to.pending = text.substr(text.size() - rest);
  text.resize(text.size() - rest);
  write_guarded(to, text);
  return static_cast<ssize_t>(size);
}

std::FILE* open_guarded(Guarded& to, int buffering) {
  std::FILE* const stream =
      ::fopencookie(&to, "w", {.read = nullptr, .write = take, .seek = nullptr, .close = nullptr});
  if (stream != nullptr) std::setvbuf(stream, nullptr, buffering, BUFSIZ);
  return stream;
}

}  // namespace

void guard_output() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    // Open for the wrong direction: what is printed fails, as without it. The lowest free number is
    // this one.
    const int opened = ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (opened > STDERR_FILENO) ::close(opened);
  }
  std::FILE* const out =
      open_guarded(guarded_stdout, ::isatty(STDOUT_FILENO) == 1 ? _IOLBF : _IOFBF);
  std::FILE* const err = open_guarded(guarded_stderr, _IONBF);
  if (out != nullptr) stdout = out;
  if (err != nullptr) stderr = err;
}

void print_text(std::string_view text) {
  (void)std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_styled(std::string_view text) {
  std::fflush(stdout);
  guarded_stdout.write_raw(text);
}

void tell_styled(std::string_view text) {
  guarded_stderr.write_raw(text);
}

void print_json(const Json& json) {
  print_text(json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n");
}

void print_result(bool as_json, const Json& json, std::string_view text) {
  if (as_json)
    print_json(json);
  else
    print_text(text);
}

bool flush_output() {
  errno = 0;
  int error = std::fflush(stdout) == 0 && !std::ferror(stdout) ? 0 : errno == 0 ? EIO : errno;
  write_guarded(guarded_stdout, std::exchange(guarded_stdout.pending, {}));
  if (guarded_stdout.error != 0) error = guarded_stdout.error;
  if (error == 0) return true;
  // A reader that has seen enough, such as head(1), does not want to hear of it.
  if (error != EPIPE)
    tell("intact: stdout: cannot write the output: {}\n", ::strerrordesc_np(error));
  return false;
}

}  // namespace intact::console
