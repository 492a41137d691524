#include "copy_out.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/worker_pool.h>

#include "progress.h"

namespace intact::cli {
namespace {

constexpr std::size_t kChunk = 1 << 20;
constexpr std::size_t kHole = 4096;  // what is zero in smaller pieces takes space in any case

bool is_zero(ByteSpan bytes) {
  return bytes[0] == std::byte{} &&
         std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

/// Writes `bytes` but for the zeros, which the new file has already.
Result<void> write_sparsely(int fd, std::uint64_t offset, ByteSpan bytes) {
  const auto piece = [&](std::size_t at) {
    return bytes.subspan(at, std::min(kHole, bytes.size() - at));
  };
  for (std::size_t at = 0; at < bytes.size();) {
    std::size_t end = at;
    while (end < bytes.size() && !is_zero(piece(end))) end += piece(end).size();
    if (end > at) TRY(pwrite_all(fd, offset + at, bytes.subspan(at, end - at)));
    at = end < bytes.size() ? end + piece(end).size() : end;
  }
  return {};
}

Result<void> fill(int fd, const ByteSource& source) {
  const std::uint64_t size = source.size();
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0) return Error::from_errno("ftruncate", errno);
  ProgressLine line;
  std::atomic<std::uint64_t> done = 0;
  WorkerPool pool;  // its jobs use all of the above
  for (std::uint64_t offset = 0; offset < size && !pool.failed(); offset += kChunk) {
    pool.submit([&, offset]() -> Result<void> {
      thread_local Bytes buffer(kChunk);
      const MutableByteSpan chunk(buffer.data(), std::min<std::uint64_t>(kChunk, size - offset));
      TRY(source.read(offset, chunk));
      TRY(write_sparsely(fd, offset, chunk));
      done += chunk.size();
      return {};
    });
    line.show("Copying", done, size);
  }
  TRY(pool.wait());
  if (::fsync(fd) != 0) return Error::from_errno("fsync", errno);
  return {};
}

}  // namespace

Result<void> copy_out(const ByteSource& source, const std::string& path) {
  if (::access(path.c_str(), F_OK) == 0)
    return Error(ErrorKind::exists, path + " is there already: --to writes a new file");
  const std::string dir = std::filesystem::path(path).parent_path().string();
  // Without a name until it is complete: whatever ends this process leaves nothing.
  const auto nameless = open_file(dir.empty() ? "." : dir, O_TMPFILE | O_RDWR, 0600);
  if (nameless) {
    TRY(fill(nameless->get(), source).context(path));
    if (::linkat(AT_FDCWD, fmt::format("/proc/self/fd/{}", nameless->get()).c_str(), AT_FDCWD,
                 path.c_str(), AT_SYMLINK_FOLLOW) != 0)
      return Error::from_errno(path, errno);
    return {};
  }
  // Not every file system can do that.
  const UniqueFd named = TRY(open_file(path, O_CREAT | O_EXCL | O_RDWR, 0600));
  Result<void> filled = fill(named.get(), source).context(path);
  if (!filled) ::unlink(path.c_str());
  return filled;
}

}  // namespace intact::cli
