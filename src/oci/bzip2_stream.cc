#include <algorithm>

#include <bzlib.h>

#include "decoder.h"

namespace intact::oci {
namespace {

Error malformed(std::string text) {
  return Error(ErrorKind::malformed, "bzip2: " + std::move(text));
}

/// Decodes bzip2, stream after stream. Blocks have at most 900 kB, for which the library takes
/// less than 4 MB, whatever the file says.
class Bzip2Stream final : public ByteStream {
 public:
  explicit Bzip2Stream(std::unique_ptr<ByteStream> input)
      : input_(std::move(input)), buffer_(kInputPiece) {}
  ~Bzip2Stream() override { end_stream(); }

  Result<std::size_t> read(MutableByteSpan out) override {
    if (ended_) return std::size_t{0};
    const auto want = static_cast<unsigned>(std::min<std::size_t>(out.size(), 1u << 30));
    state_.next_out = reinterpret_cast<char*>(out.data());
    state_.avail_out = want;
    while (state_.avail_out == want) {
      if (state_.avail_in == 0 && !input_ended_) TRY(fill());
      if (!in_stream_) {
        if (input_ended_) {
          ended_ = true;
          return std::size_t{0};
        }
        TRY(begin_stream());
      }
      const bool had_input = state_.avail_in != 0;
      switch (BZ2_bzDecompress(&state_)) {
        case BZ_OK:
          // Without output or input, nothing will ever come.
          if (!had_input && state_.avail_out == want) return malformed("the stream is cut off");
          break;
        case BZ_STREAM_END:
          end_stream();
          break;
        case BZ_DATA_ERROR_MAGIC:
          return malformed("bytes after the end that are not another stream");
        case BZ_MEM_ERROR:
          return Error(ErrorKind::io, "bzip2: out of memory");
        default:
          return malformed("damaged data");
      }
    }
    return want - state_.avail_out;
  }

 private:
  Result<void> fill() {
    const std::size_t n = TRY(input_->read(buffer_));
    state_.next_in = reinterpret_cast<char*>(buffer_.data());
    state_.avail_in = static_cast<unsigned>(n);
    input_ended_ = n == 0;
    return {};
  }

  /// The library sets up its state without touching what has been read or may be written.
  Result<void> begin_stream() {
    if (BZ2_bzDecompressInit(&state_, 0, 0) != BZ_OK)
      return Error(ErrorKind::io, "bzip2: out of memory");
    in_stream_ = true;
    return {};
  }
  void end_stream() {
    if (in_stream_) BZ2_bzDecompressEnd(&state_);
    in_stream_ = false;
  }

  std::unique_ptr<ByteStream> input_;
  Bytes buffer_;
  bz_stream state_{};
  bool in_stream_ = false;
  bool input_ended_ = false;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<ByteStream> make_bzip2_stream(std::unique_ptr<ByteStream> input) {
  return std::make_unique<Bzip2Stream>(std::move(input));
}

}  // namespace intact::oci
