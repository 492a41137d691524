#include <algorithm>
#include <bit>

#include <zstd.h>
#include <zstd_errors.h>

#include "decoder.h"

namespace intact::oci {
namespace {

/// The largest window that fits into `bytes`, as its logarithm, within what the library knows.
int window_log(std::uint64_t bytes) {
  const ZSTD_bounds bounds = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax);
  const int log = bytes == 0 ? 0 : static_cast<int>(std::bit_width(bytes)) - 1;
  return std::clamp(log, bounds.lowerBound, bounds.upperBound);
}

/// Decodes zstd, frame after frame. The window of a frame, which is kept in memory, can have any
/// size up to 2 GiB and more.
class ZstdStream final : public ByteStream {
 public:
  ZstdStream(std::unique_ptr<ByteStream> input, std::uint64_t memory_limit)
      : input_(std::move(input)),
        buffer_(kInputPiece),
        limit_(memory_limit),
        context_(ZSTD_createDCtx()) {
    if (context_) ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, window_log(limit_));
  }
  ~ZstdStream() override { ZSTD_freeDCtx(context_); }

  Result<std::size_t> read(MutableByteSpan out) override {
    if (!context_) return Error(ErrorKind::io, "zstd: out of memory");
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    for (;;) {
      if (from_.pos == from_.size && !input_ended_) {
        const std::size_t n = TRY(input_->read(buffer_));
        from_ = {buffer_.data(), n, 0};
        input_ended_ = n == 0;
      }
      // With all input taken, only output that is still inside can follow.
      if (input_ended_ && frame_done_) return std::size_t{0};
      const std::size_t before = from_.pos;
      const std::size_t status = ZSTD_decompressStream(context_, &to, &from_);
      if (ZSTD_isError(status)) {
        if (ZSTD_getErrorCode(status) == ZSTD_error_frameParameter_windowTooLarge)
          return decoder_memory_error("zstd", "its window is", 0, limit_);
        return Error(ErrorKind::malformed, std::string("zstd: ") + ZSTD_getErrorName(status));
      }
      frame_done_ = status == 0;
      if (to.pos != 0) return to.pos;
      if (input_ended_ && from_.pos == before && !frame_done_)
        return Error(ErrorKind::malformed, "zstd: the stream is cut off");
    }
  }

 private:
  std::unique_ptr<ByteStream> input_;
  Bytes buffer_;
  std::uint64_t limit_;
  ZSTD_DCtx* context_;
  ZSTD_inBuffer from_{nullptr, 0, 0};
  bool input_ended_ = false;
  bool frame_done_ = false;  ///< nothing of a frame is under way
};

}  // namespace

std::unique_ptr<ByteStream> make_zstd_stream(std::unique_ptr<ByteStream> input,
                                             std::uint64_t memory_limit) {
  return std::make_unique<ZstdStream>(std::move(input), memory_limit);
}

}  // namespace intact::oci
