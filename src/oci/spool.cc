#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/standard_input.h>
#include <intact/oci/spool.h>

namespace intact::oci {

Result<UniqueFd> unnamed_file(const std::string& directory) {
  UniqueFd fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) return fd;
  if (errno != EOPNOTSUPP && errno != EISDIR) return Error::from_errno(directory, errno);
  std::string path = directory + "/.intact-XXXXXX";  // file systems without O_TMPFILE
  fd.reset(::mkostemp(path.data(), O_CLOEXEC));
  if (!fd) return Error::from_errno("temporary file in " + directory, errno);
  ::unlink(path.c_str());
  return fd;
}

std::string source_name(const std::string& path) {
  return path == "-" ? "standard input" : path;
}

Result<UniqueFd> spool_standard_input(const std::string& directory, std::uint64_t limit) {
  TRY(claim_standard_input("the image"));
  struct stat st;
  if (::fstat(STDIN_FILENO, &st) != 0) return Error::from_errno("standard input", errno);
  if (S_ISREG(st.st_mode) && ::lseek(STDIN_FILENO, 0, SEEK_CUR) == 0) {
    UniqueFd fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!fd) return Error::from_errno("standard input", errno);
    return fd;
  }
  UniqueFd fd = TRY(unnamed_file(directory));
  Bytes piece(256 * 1024);
  for (std::uint64_t size = 0;;) {
    const ssize_t n = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::from_errno("standard input", errno);
    if (n == 0) return fd;
    size += static_cast<std::uint64_t>(n);
    if (size > limit)
      return Error(ErrorKind::limit, "standard input: larger than " + std::to_string(limit) +
                                         " bytes; raise --max-layer");
    TRY(write_all(fd.get(), ByteSpan(piece).first(static_cast<std::size_t>(n)))
            .context("temporary file in " + directory));
  }
}

}  // namespace intact::oci
