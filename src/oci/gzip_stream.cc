#include <isa-l/igzip_lib.h>

#include "decoder.h"

namespace intact::oci {
namespace {

Error malformed(std::string text) {
  return Error(ErrorKind::malformed, "gzip: " + std::move(text));
}

/// Inflates gzip (RFC 1952), member after member. ISA-L reports neither a cut stream nor bytes
/// after a member: both show in its state where the input ends.
class GzipStream final : public ByteStream {
 public:
  explicit GzipStream(std::unique_ptr<ByteStream> input)
      : input_(std::move(input)), buffer_(kInputPiece) {
    isal_inflate_init(&state_);
    expect_header();
  }

  Result<std::size_t> read(MutableByteSpan out) override {
    if (ended_) return std::size_t{0};
    const std::size_t want = std::min<std::size_t>(out.size(), 1u << 30);
    state_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    state_.avail_out = static_cast<std::uint32_t>(want);
    for (;;) {
      if (state_.block_state == ISAL_BLOCK_FINISH && !TRY(begin_member())) {
        ended_ = true;
        return want - state_.avail_out;
      }
      if (state_.avail_in == 0 && !input_ended_) TRY(fill());
      const std::uint32_t in_before = state_.avail_in;
      const std::uint32_t out_before = state_.avail_out;
      if (in_header_) {
        TRY(take_header());
      } else {
        TRY(check(isal_inflate(&state_)));
      }
      if (state_.avail_out == 0) return want;
      const bool moved = state_.avail_in != in_before || state_.avail_out != out_before;
      if (state_.block_state != ISAL_BLOCK_FINISH && input_ended_ && state_.avail_in == 0 && !moved)
        return malformed("the stream is cut off");
    }
  }

 private:
  Result<void> fill() {
    const std::size_t n = TRY(input_->read(buffer_));
    if (n == 0) input_ended_ = true;
    state_.next_in = reinterpret_cast<std::uint8_t*>(buffer_.data());
    state_.avail_in = static_cast<std::uint32_t>(n);
    return {};
  }

  /// After a member: begins the next one. False at the end of the input.
  Result<bool> begin_member() {
    if (state_.avail_in == 0 && !input_ended_) TRY(fill());
    if (state_.avail_in == 0) return false;
    if (state_.next_in[0] != 0x1f)
      return malformed("bytes after the last member that are not another member");
    // The header parser checks the second byte of the magic and what follows.
    isal_inflate_reset(&state_);
    expect_header();
    return true;
  }

  /// The inflater can parse headers by itself, but forgets its checksum of one that comes in
  /// pieces.
  void expect_header() {
    in_header_ = true;
    isal_gzip_header_init(&header_);
    state_.crc_flag = ISAL_GZIP_NO_HDR_VER;
  }

  /// As much of a header as there is.
  Result<void> take_header() {
    constexpr std::uint32_t kReservedFlags = 0xe0;
    const int status = isal_read_gzip_header(&state_, &header_);
    if (status == ISAL_INCORRECT_CHECKSUM) return malformed("bad checksum of a member header");
    TRY(check(status));
    if (status != ISAL_DECOMP_OK) return {};
    if ((header_.flags & kReservedFlags) != 0)
      return malformed("a member header with unknown flags");
    in_header_ = false;
    return {};
  }

  static Result<void> check(int status) {
    switch (status) {
      case ISAL_DECOMP_OK:
      case ISAL_END_INPUT:
      case ISAL_OUT_OVERFLOW:
      case ISAL_NAME_OVERFLOW:
      case ISAL_COMMENT_OVERFLOW:
      case ISAL_EXTRA_OVERFLOW:
        return {};
      case ISAL_INCORRECT_CHECKSUM:
        return malformed("checksum or length of a member is wrong");
      case ISAL_INVALID_WRAPPER:
      case ISAL_UNSUPPORTED_METHOD:
        return malformed("bad member header");
      default:
        return malformed("bad deflate data");
    }
  }

  std::unique_ptr<ByteStream> input_;
  Bytes buffer_;
  bool input_ended_ = false;
  bool ended_ = false;
  bool in_header_ = false;
  isal_gzip_header header_;
  inflate_state state_;
};

}  // namespace

std::unique_ptr<ByteStream> make_gzip_stream(std::unique_ptr<ByteStream> input) {
  return std::make_unique<GzipStream>(std::move(input));
}

}  // namespace intact::oci
