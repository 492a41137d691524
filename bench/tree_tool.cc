// tree_tool walk DIR: lists every directory below DIR and stats every name; prints how many.
// tree_tool read FILE: reads it from front to back in pieces of 128 KiB; prints how many bytes.
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

std::size_t walk(int fd) {
  DIR* const directory = ::fdopendir(fd);
  if (!directory) die("fdopendir");
  std::size_t names = 0;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat status;
    if (::fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) die(entry->d_name);
    ++names;
    if (!S_ISDIR(status.st_mode)) continue;
    const int child = ::openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (child < 0) die(entry->d_name);
    names += walk(child);
  }
  ::closedir(directory);
  return names;
}

std::size_t read_through(int fd) {
  std::vector<char> buffer(128 << 10);
  std::size_t bytes = 0;
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0) die("read");
    if (n == 0) return bytes;
    bytes += static_cast<std::size_t>(n);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int fd = ::open(argv[2], O_RDONLY | O_CLOEXEC);
  if (fd < 0) die(argv[2]);
  std::printf("%zu\n", argv[1] == std::string_view("walk") ? walk(fd) : read_through(fd));
  return 0;
}
