#include <algorithm>

#include <lzma.h>

#include "decoder.h"

namespace intact::oci {
namespace {

Error malformed(std::string text) {
  return Error(ErrorKind::malformed, "xz: " + std::move(text));
}

/// Decodes xz, stream after stream. How much memory that takes is written in the file (the size of
/// its dictionary, up to 4 GiB), so liblzma is given a limit.
class XzStream final : public ByteStream {
 public:
  XzStream(std::unique_ptr<ByteStream> input, std::uint64_t memory_limit)
      : input_(std::move(input)), buffer_(kInputPiece), limit_(memory_limit) {
    constexpr std::uint32_t kFlags = LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK;
    status_ = lzma_stream_decoder(&state_, std::max<std::uint64_t>(limit_, 1), kFlags);
  }
  ~XzStream() override { lzma_end(&state_); }

  Result<std::size_t> read(MutableByteSpan out) override {
    state_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    state_.avail_out = out.size();
    while (state_.avail_out == out.size() && status_ == LZMA_OK) {
      if (state_.avail_in == 0 && !input_ended_) {
        state_.avail_in = TRY(input_->read(buffer_));
        state_.next_in = reinterpret_cast<const std::uint8_t*>(buffer_.data());
        input_ended_ = state_.avail_in == 0;
      }
      status_ = lzma_code(&state_, input_ended_ ? LZMA_FINISH : LZMA_RUN);
    }
    TRY(check());
    return out.size() - state_.avail_out;
  }

 private:
  Result<void> check() const {
    switch (status_) {
      case LZMA_OK:
      case LZMA_STREAM_END:
        return {};
      case LZMA_MEMLIMIT_ERROR:
        return decoder_memory_error("xz", "its dictionary needs", lzma_memusage(&state_), limit_);
      case LZMA_MEM_ERROR:
        return Error(ErrorKind::io, "xz: out of memory");
      case LZMA_OPTIONS_ERROR:
        return Error(ErrorKind::unsupported, "xz: unknown options or filters");
      case LZMA_UNSUPPORTED_CHECK:
        return Error(ErrorKind::unsupported, "xz: unknown type of checksum");
      case LZMA_BUF_ERROR:
        return malformed("the stream is cut off");
      case LZMA_FORMAT_ERROR:
        return malformed("bytes after the end that are not another stream");
      default:
        return malformed("damaged data");
    }
  }

  std::unique_ptr<ByteStream> input_;
  Bytes buffer_;
  std::uint64_t limit_;
  lzma_stream state_ = LZMA_STREAM_INIT;
  lzma_ret status_;
  bool input_ended_ = false;
};

}  // namespace

std::unique_ptr<ByteStream> make_xz_stream(std::unique_ptr<ByteStream> input,
                                           std::uint64_t memory_limit) {
  return std::make_unique<XzStream>(std::move(input), memory_limit);
}

}  // namespace intact::oci
