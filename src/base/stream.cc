#include <algorithm>

#include <intact/base/file.h>
#include <intact/base/stream.h>

namespace intact {

Result<std::size_t> read_fully(ByteStream& stream, MutableByteSpan out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::size_t n = TRY(stream.read(out.subspan(done)));
    if (n == 0) break;
    done += n;
  }
  return done;
}

Result<std::size_t> FileStream::read(MutableByteSpan out) {
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), left_));
  const std::size_t n = TRY(pread_up_to(fd_.get(), offset_, out.first(want)));
  offset_ += n;
  left_ -= n;
  return n;
}

Result<std::size_t> MemoryStream::read(MutableByteSpan out) {
  const std::size_t n = std::min(out.size(), bytes_.size() - position_);
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(position_), n, out.begin());
  position_ += n;
  return n;
}

static Result<void> check_range(std::uint64_t size, std::uint64_t offset, std::size_t length) {
  if (offset > size || size - offset < length)
    return Error(ErrorKind::malformed, "bytes " + std::to_string(offset) + "+" +
                                           std::to_string(length) + " are beyond the end (" +
                                           std::to_string(size) + " bytes)");
  return {};
}

Result<void> MemorySource::read(std::uint64_t offset, MutableByteSpan out) const {
  TRY(check_range(size(), offset, out.size()));
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
  return {};
}

Result<std::unique_ptr<FileSource>> FileSource::open(UniqueFd fd) {
  const std::uint64_t size = TRY(file_size(fd.get()));
  return std::unique_ptr<FileSource>(new FileSource(std::move(fd), size));
}

Result<void> FileSource::read(std::uint64_t offset, MutableByteSpan out) const {
  TRY(check_range(size_, offset, out.size()));
  return pread_exact(fd_.get(), offset, out);
}

}  // namespace intact
