#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/output_file.h>
#include <intact/base/worker_pool.h>
#include <intact/block/device_files.h>

namespace intact::block {
namespace {

constexpr std::size_t kChunk = 1 << 20;
constexpr std::size_t kHole = 4096;  // smaller runs of zeros take space in any case

bool is_zero(ByteSpan bytes) {
  return bytes[0] == std::byte{} &&
         std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

/// Writes `bytes` without the zeros, which a new file has already.
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

/// Calls `use(offset, size, hole)` for the pieces of the source in order, until one fails.
template <typename Use>
Result<void> for_each_chunk(const Device& source, Use use) {
  Result<void> outcome;
  TRY(for_each_extent(source, [&](const Extent& extent) {
    // Zeros that take space are read: reading is how their damage is found.
    const bool hole = extent.kind == ExtentKind::hole;
    for (std::uint64_t done = 0; outcome && done < extent.length;) {
      const std::size_t size = std::min<std::uint64_t>(kChunk, extent.length - done);
      outcome = use(extent.offset + done, size, hole);
      done += size;
    }
    return outcome.has_value();
  }));
  return outcome;
}

/// Zeros are left out and the rest is written at its place: old content would show through, and
/// what is appended would be in the wrong place. A file of our own is always suitable; one that the
/// user has opened (/dev/fd/N) may not be.
Result<void> check_empty_file(int fd) {
  struct stat st;
  const int flags = ::fcntl(fd, F_GETFL);
  if (::fstat(fd, &st) != 0 || flags < 0) return Error::from_errno("fstat", errno);
  if (!S_ISREG(st.st_mode))
    return Error(ErrorKind::invalid_argument,
                 "not a regular file, so it cannot be written with several threads");
  if (st.st_size != 0 || (flags & O_APPEND) != 0)
    return Error(ErrorKind::invalid_argument,
                 "must be empty and not open for appending; name a new file");
  return {};
}

}  // namespace

Result<void> copy_into(const Device& source, int fd, const Progress& progress) {
  TRY(check_empty_file(fd));
  const std::uint64_t size = source.size();
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0) return Error::from_errno("ftruncate", errno);
  std::atomic<std::uint64_t> done = 0;
  WorkerPool pool;  // its jobs use all of the above
  auto copied = for_each_chunk(
      source, [&](std::uint64_t offset, std::size_t length, bool hole) -> Result<void> {
        if (!hole)
          pool.submit([&, offset, length]() -> Result<void> {
            thread_local Bytes buffer(kChunk);
            const MutableByteSpan chunk = MutableByteSpan(buffer).first(length);
            TRY(source.read(offset, chunk));
            TRY(write_sparsely(fd, offset, chunk));
            done += length;
            return {};
          });
        else
          done += length;
        if (progress) progress(done, size);
        // wait() returns the error itself.
        if (pool.failed()) return Error(ErrorKind::cancelled, "stopped after an error");
        return {};
      });
  TRY(pool.wait());
  return copied;
}

Result<void> copy_in_order(const Device& source, int fd, const Progress& progress) {
  Bytes buffer(kChunk);
  return for_each_chunk(source,
                        [&](std::uint64_t offset, std::size_t size, bool hole) -> Result<void> {
                          const MutableByteSpan chunk = MutableByteSpan(buffer).first(size);
                          if (hole)
                            std::ranges::fill(chunk, std::byte{});
                          else
                            TRY(source.read(offset, chunk));
                          TRY(write_all(fd, chunk));
                          if (progress) progress(offset + size, source.size());
                          return {};
                        });
}

Result<void> copy_to_new_file(const Device& source, const std::string& path,
                              const Progress& progress) {
  OutputFile file = TRY(OutputFile::create(path, OutputFile::Existing::refuse, 0600));
  TRY(copy_into(source, file.fd(), progress).context(path));
  return file.publish();
}

}  // namespace intact::block
