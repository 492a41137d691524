#include <algorithm>
#include <array>

#include <intact/oci/decompress.h>

#include "decoder.h"

namespace intact::oci {
namespace {

/// Counts what goes in.
class CountingStream final : public ByteStream {
 public:
  CountingStream(std::unique_ptr<ByteStream> stream, std::shared_ptr<Expansion> total)
      : stream_(std::move(stream)), total_(std::move(total)) {}
  Result<std::size_t> read(MutableByteSpan out) override {
    const std::size_t n = TRY(stream_->read(out));
    total_->input += n;
    return n;
  }

 private:
  std::unique_ptr<ByteStream> stream_;
  std::shared_ptr<Expansion> total_;
};

/// Gives back bytes that were read ahead, then the rest.
class PrefixedStream final : public ByteStream {
 public:
  PrefixedStream(Bytes prefix, std::unique_ptr<ByteStream> rest)
      : prefix_(std::move(prefix)), rest_(std::move(rest)) {}
  Result<std::size_t> read(MutableByteSpan out) override {
    if (position_ == prefix_.size()) return rest_->read(out);
    const std::size_t n = std::min(out.size(), prefix_.size() - position_);
    std::copy_n(prefix_.begin() + static_cast<std::ptrdiff_t>(position_), n, out.begin());
    position_ += n;
    return n;
  }

 private:
  Bytes prefix_;
  std::size_t position_ = 0;
  std::unique_ptr<ByteStream> rest_;
};

/// Counts what comes out, and holds it to the limits.
class LimitedStream final : public ByteStream {
 public:
  LimitedStream(std::unique_ptr<ByteStream> stream, std::shared_ptr<Expansion> total,
                const DecompressLimits& limits)
      : stream_(std::move(stream)), total_(std::move(total)), limits_(limits) {}

  Result<std::size_t> read(MutableByteSpan out) override {
    const std::size_t n = TRY(stream_->read(out));
    output_ += n;
    total_->output += n;
    if (output_ > limits_.output_bytes)
      return Error(ErrorKind::limit, "decompressed it is over the limit of " +
                                         std::to_string(limits_.output_bytes) + " bytes");
    if (total_->output > limits_.total_bytes)
      return Error(ErrorKind::limit, "decompressed the layers are over the limit of " +
                                         std::to_string(limits_.total_bytes) + " bytes");
    // Input is read ahead by at most a piece, which only makes the ratio look smaller.
    if (total_->output > limits_.ratio_from &&
        total_->output / std::max<std::uint64_t>(limits_.ratio, 1) > total_->input)
      return Error(ErrorKind::limit, "decompressed it is over " + std::to_string(limits_.ratio) +
                                         " times its size (limit from " +
                                         std::to_string(limits_.ratio_from) +
                                         " bytes on): this looks like a decompression bomb");
    return n;
  }

 private:
  std::unique_ptr<ByteStream> stream_;
  std::shared_ptr<Expansion> total_;
  DecompressLimits limits_;
  std::uint64_t output_ = 0;
};

}  // namespace

Result<std::unique_ptr<ByteStream>> decompress(std::unique_ptr<ByteStream> stream,
                                               const DecompressLimits& limits, Compression* found,
                                               std::shared_ptr<Expansion> total) {
  Bytes first(8);
  first.resize(TRY(read_fully(*stream, first)));
  const Compression compression = detect_compression(first);
  if (found) *found = compression;
  if (!total) total = std::make_shared<Expansion>();
  std::unique_ptr<ByteStream> whole = std::make_unique<CountingStream>(
      std::make_unique<PrefixedStream>(std::move(first), std::move(stream)), total);
  std::unique_ptr<ByteStream> decoded;
  switch (compression) {
    case Compression::none:
      decoded = std::move(whole);
      break;
    case Compression::gzip:
      decoded = make_gzip_stream(std::move(whole));
      break;
    case Compression::zstd:
      decoded = make_zstd_stream(std::move(whole));
      break;
    case Compression::xz:
    case Compression::bzip2:
      decoded = TRY(make_archive_filter_stream(std::move(whole)));
      break;
  }
  return std::unique_ptr<ByteStream>(
      std::make_unique<LimitedStream>(std::move(decoded), std::move(total), limits));
}

}  // namespace intact::oci
