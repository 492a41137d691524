#include <cerrno>

#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/oci/spool.h>

namespace intact::oci {

std::string source_name(const std::string& path) {
  return path == "-" ? "standard input" : path;
}

Result<UniqueFd> spool_standard_input(std::uint64_t limit, const MakeTemporary& make) {
  TRY(claim_standard_input("the image"));
  struct stat st;
  if (::fstat(STDIN_FILENO, &st) != 0) return Error::from_errno("standard input", errno);
  if (S_ISREG(st.st_mode) && ::lseek(STDIN_FILENO, 0, SEEK_CUR) == 0)
    return duplicate_fd(STDIN_FILENO).context("standard input");
  UniqueFd fd = TRY(make());
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
            .context("copy of standard input"));
  }
}

}  // namespace intact::oci
