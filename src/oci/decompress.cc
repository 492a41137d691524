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
      return Error(ErrorKind::limit, "larger than " + std::to_string(limits_.output_bytes) +
                                         " bytes when decompressed; raise --max-layer");
    if (total_->output > limits_.total_bytes)
      return Error(ErrorKind::limit, "with the layers before it larger than " +
                                         std::to_string(limits_.total_bytes) +
                                         " bytes when decompressed; raise --max-expanded");
    // Input is read ahead by at most a piece, which only makes the ratio look smaller.
    if (total_->output > limits_.ratio_from &&
        total_->output / std::max<std::uint64_t>(limits_.ratio, 1) > total_->input)
      return Error(ErrorKind::limit,
                   "looks like a decompression bomb: more than " + std::to_string(limits_.ratio) +
                       " times its size when decompressed, and over " +
                       std::to_string(limits_.ratio_from) + " bytes; raise --max-expansion");
    return n;
  }

 private:
  std::unique_ptr<ByteStream> stream_;
  std::shared_ptr<Expansion> total_;
  DecompressLimits limits_;
  std::uint64_t output_ = 0;
};

std::string mebibytes(std::uint64_t bytes) {
  constexpr std::uint64_t kMebibyte = 1 << 20;
  return std::to_string(bytes / kMebibyte + (bytes % kMebibyte != 0)) + " MiB";
}

}  // namespace

Error decoder_memory_error(std::string_view format, std::string_view what, std::uint64_t needed,
                           std::uint64_t limit) {
  std::string text = std::string(format) + ": " + std::string(what) + " ";
  text += needed != 0 ? mebibytes(needed) + ", over" : "over";
  return Error(ErrorKind::limit, text + " the limit of " + mebibytes(limit) +
                                     " for decoders; raise --max-decoder-memory");
}

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
      decoded = make_zstd_stream(std::move(whole), limits.memory_bytes);
      break;
    case Compression::xz:
      decoded = make_xz_stream(std::move(whole), limits.memory_bytes);
      break;
    case Compression::bzip2:
      decoded = make_bzip2_stream(std::move(whole));
      break;
  }
  return std::unique_ptr<ByteStream>(
      std::make_unique<LimitedStream>(std::move(decoded), std::move(total), limits));
}

}  // namespace intact::oci
