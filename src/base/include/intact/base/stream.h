#pragma once

#include <cstdint>
#include <memory>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact {

/// Bytes read once, from front to back. Not thread-safe.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// Fills up to `out.size()` bytes (which must not be 0). Returns how many; 0 is the end and stays
  /// so. A short count says nothing about the end.
  virtual Result<std::size_t> read(MutableByteSpan out) = 0;
};

/// Reads until `out` is full or the stream ends; returns how many bytes there were.
Result<std::size_t> read_fully(ByteStream& stream, MutableByteSpan out);

/// A range of a file or the whole of it, read with pread: the descriptor's position is not used.
class FileStream final : public ByteStream {
 public:
  explicit FileStream(UniqueFd fd, std::uint64_t offset = 0, std::uint64_t length = UINT64_MAX)
      : fd_(std::move(fd)), offset_(offset), left_(length) {}
  Result<std::size_t> read(MutableByteSpan out) override;

 private:
  UniqueFd fd_;
  std::uint64_t offset_;
  std::uint64_t left_;
};

/// Bytes in memory, owned by the stream.
class MemoryStream final : public ByteStream {
 public:
  explicit MemoryStream(Bytes bytes) : bytes_(std::move(bytes)) {}
  Result<std::size_t> read(MutableByteSpan out) override;

 private:
  Bytes bytes_;
  std::size_t position_ = 0;
};

/// Random access to immutable bytes: a file, a verified file, memory. Concurrent reads are safe.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size() const = 0;
  /// Reads exactly `out.size()` bytes at byte `offset`. A range beyond size() is malformed. After
  /// an error nothing in `out` may be used.
  virtual Result<void> read(std::uint64_t offset, MutableByteSpan out) const = 0;
};

/// Bytes in memory as a ByteSource.
class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(Bytes bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;
  ByteSpan bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

/// A file as a ByteSource, unverified. Its size is taken once, at open.
class FileSource final : public ByteSource {
 public:
  static Result<std::unique_ptr<FileSource>> open(UniqueFd fd);
  std::uint64_t size() const override { return size_; }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;

 private:
  FileSource(UniqueFd fd, std::uint64_t size) : fd_(std::move(fd)), size_(size) {}
  UniqueFd fd_;
  std::uint64_t size_;
};

}  // namespace intact
