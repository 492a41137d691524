#include "archive_files.h"

#include <algorithm>
#include <cerrno>
#include <vector>

#include <fcntl.h>

#include <intact/base/file.h>
#include <intact/oci/spool.h>
#include <intact/oci/tar_reader.h>

#include "tar_sparse.h"

namespace intact::oci {
namespace {

constexpr int kMaxLinks = 10;

/// "a/./b/../c" as "a/c"; ".." at the top leads nowhere.
std::string normalized(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  std::string out;
  for (const std::string_view part : parts) {
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

/// The pread position of a stream, so that a tar reader can jump.
class SeekableFile final : public ByteStream {
 public:
  SeekableFile(int fd, std::uint64_t size) : fd_(fd), size_(size) {}
  Result<std::size_t> read(MutableByteSpan out) override {
    const std::size_t n = TRY(pread_up_to(fd_, position_, out));
    position_ += n;
    return n;
  }
  Result<void> skip(std::uint64_t bytes) {
    if (bytes > size_ - std::min(position_, size_))
      return Error(ErrorKind::malformed, "tar: the archive is cut off");
    position_ += bytes;
    return {};
  }

 private:
  int fd_;
  std::uint64_t size_;
  std::uint64_t position_ = 0;
};

/// A sparse file: its extents, one after the other in `stored`, and the holes between them.
class SparseStream final : public ByteStream {
 public:
  SparseStream(std::unique_ptr<ByteStream> stored, std::shared_ptr<const SparseMap> map)
      : stored_(std::move(stored)), map_(std::move(map)), cursor_(*map_) {}
  Result<std::size_t> read(MutableByteSpan out) override {
    SparseCursor ahead = cursor_;
    const SparseCursor::Step step = ahead.next(out.size());
    std::size_t n = step.bytes;
    if (step.is_hole)
      std::fill_n(out.begin(), n, std::byte{0});
    else if (n != 0)
      n = TRY(stored_->read(out.first(n)));
    (void)cursor_.next(n);
    return n;
  }

 private:
  std::unique_ptr<ByteStream> stored_;
  std::shared_ptr<const SparseMap> map_;
  SparseCursor cursor_;
};

}  // namespace

Result<ArchiveFiles> ArchiveFiles::open(const std::string& file, const DecompressLimits& limits) {
  UniqueFd fd = file == "-" ? TRY(spool_standard_input(limits.output_bytes))
                            : TRY(open_file(file, O_RDONLY | O_NONBLOCK));
  const std::string name = source_name(file);
  TRY(file_size(fd.get()).context(name));
  Bytes first(8);
  first.resize(TRY(pread_up_to(fd.get(), 0, first).context(name)));
  if (detect_compression(first) != Compression::none) {
    const auto unpack = [&]() -> Result<UniqueFd> {
      UniqueFd temp = TRY(unnamed_temporary_file());
      const auto stream = TRY(decompress(std::make_unique<FileStream>(std::move(fd)), limits));
      Bytes piece(256 * 1024);
      while (const std::size_t n = TRY(stream->read(piece)))
        TRY(write_all(temp.get(), ByteSpan(piece).first(n)).context("temporary file"));
      return temp;
    };
    fd = TRY(unpack().context(name));
  }
  ArchiveFiles files(std::move(fd));
  TRY(files.index(limits).context(name));
  return files;
}

Result<void> ArchiveFiles::index(const DecompressLimits& decompress_limits) {
  SeekableFile stream(fd_.get(), TRY(file_size(fd_.get())));
  const TarLimits limits{.headers = 100'000,
                         .stream_bytes = UINT64_MAX / 4,
                         .hole_bytes = decompress_limits.hole_bytes};
  TarReader reader(stream, limits, [&](std::uint64_t bytes) { return stream.skip(bytes); });
  while (auto entry = TRY(reader.next())) {
    std::string path = normalized(entry->path);
    File made{{entry->content_offset, entry->size, reader.sparse()}, {}};
    if (entry->type == TarType::hard_link) {
      made.link = normalized(entry->link);
    } else if (entry->type == TarType::symlink) {
      const std::size_t slash = path.rfind('/');
      const std::string parent = slash == std::string::npos ? "" : path.substr(0, slash + 1);
      made.link = normalized(entry->link.starts_with('/') ? entry->link : parent + entry->link);
    } else if (entry->type != TarType::regular) {
      continue;
    }
    files_.insert_or_assign(std::move(path), std::move(made));
  }
  return {};
}

std::optional<ArchiveFiles::Range> ArchiveFiles::find(std::string_view path) const {
  std::string at = normalized(path);
  for (int i = 0; i < kMaxLinks; ++i) {
    const auto it = files_.find(at);
    if (it == files_.end()) return std::nullopt;
    if (it->second.link.empty()) return it->second.range;
    at = it->second.link;
  }
  return std::nullopt;
}

Result<std::unique_ptr<ByteStream>> ArchiveFiles::open(const Range& range) const {
  UniqueFd fd = TRY(duplicate_fd(fd_.get()));
  if (!range.sparse)
    return std::unique_ptr<ByteStream>(
        std::make_unique<FileStream>(std::move(fd), range.offset, range.size));
  return std::unique_ptr<ByteStream>(std::make_unique<SparseStream>(
      std::make_unique<FileStream>(std::move(fd), range.offset), range.sparse));
}

Result<Bytes> ArchiveFiles::read(const Range& range, std::uint64_t limit) const {
  if (range.size > limit)
    return Error(ErrorKind::limit,
                 std::to_string(range.size) + " bytes, over the limit of " + std::to_string(limit));
  Bytes bytes(static_cast<std::size_t>(range.size));
  const auto stream = TRY(open(range));
  if (TRY(read_fully(*stream, bytes)) != bytes.size())
    return Error(ErrorKind::io, "the archive has become shorter");
  return bytes;
}

}  // namespace intact::oci
