#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/console/input_file.h>

namespace intact::console {
namespace {

constexpr const char* kStandardInput = "-";
constexpr std::string_view kSpace = " \t\r\n\v\f";

}  // namespace

Result<UniqueFd> open_input(const std::string& path) {
  if (path != kStandardInput) return open_file(path, O_RDONLY);
  return duplicate_fd(STDIN_FILENO).context(input_name(path));
}

Result<Bytes> read_input(const std::string& path, std::uint64_t limit) {
  const UniqueFd fd = TRY(open_input(path));
  return read_fd(fd.get(), limit).context(input_name(path));
}

Result<std::string> read_text_input(const std::string& path, std::uint64_t limit) {
  const Bytes bytes = TRY(read_input(path, limit));
  const std::string_view text = as_text(bytes);
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return std::string();
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin));
}

std::string input_name(const std::string& path) {
  return path == kStandardInput ? "standard input" : path;
}

}  // namespace intact::console
