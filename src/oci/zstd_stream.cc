#include <zstd.h>
#include <zstd_errors.h>

#include "decoder.h"

namespace intact::oci {
namespace {

constexpr int kMaxWindowLog = 27;  // 128 MiB

class ZstdStream final : public ByteStream {
 public:
  explicit ZstdStream(std::unique_ptr<ByteStream> input)
      : input_(std::move(input)), buffer_(kInputPiece), context_(ZSTD_createDCtx()) {
    if (context_) ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kMaxWindowLog);
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
        const bool window = ZSTD_getErrorCode(status) == ZSTD_error_frameParameter_windowTooLarge;
        return Error(window ? ErrorKind::limit : ErrorKind::malformed,
                     std::string("zstd: ") + ZSTD_getErrorName(status));
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
  ZSTD_DCtx* context_;
  ZSTD_inBuffer from_{nullptr, 0, 0};
  bool input_ended_ = false;
  bool frame_done_ = false;  ///< nothing of a frame is under way
};

}  // namespace

std::unique_ptr<ByteStream> make_zstd_stream(std::unique_ptr<ByteStream> input) {
  return std::make_unique<ZstdStream>(std::move(input));
}

}  // namespace intact::oci
