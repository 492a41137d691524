#include <algorithm>
#include <cerrno>
#include <optional>

#include <archive.h>
#include <archive_entry.h>

#include "decoder.h"

namespace intact::oci {
namespace {

/// libarchive as a mere decompressor: its "raw" format has one entry, the decompressed stream.
class ArchiveFilterStream final : public ByteStream {
 public:
  explicit ArchiveFilterStream(std::unique_ptr<ByteStream> input)
      : input_(std::move(input)), buffer_(kInputPiece), archive_(archive_read_new()) {}
  ~ArchiveFilterStream() override { archive_read_free(archive_); }

  Result<void> open() {
    if (!archive_) return Error(ErrorKind::io, "libarchive: out of memory");
    archive_read_support_filter_xz(archive_);
    archive_read_support_filter_bzip2(archive_);
    archive_read_support_format_raw(archive_);
    archive_read_support_format_empty(archive_);
    if (archive_read_open(archive_, this, nullptr, &ArchiveFilterStream::give, nullptr) !=
        ARCHIVE_OK)
      return failure();
    // What no filter wants to have would be passed on as it is.
    if (archive_filter_code(archive_, 0) == ARCHIVE_FILTER_NONE)
      return Error(ErrorKind::malformed, "compressed stream: bad header");
    archive_entry* entry;
    const int status = archive_read_next_header(archive_, &entry);
    if (status == ARCHIVE_EOF) {
      ended_ = true;
      return {};
    }
    return status == ARCHIVE_OK ? Result<void>() : failure();
  }

  Result<std::size_t> read(MutableByteSpan out) override {
    if (ended_) return std::size_t{0};
    const la_ssize_t n = archive_read_data(archive_, out.data(), out.size());
    if (n < 0) return failure();
    if (n == 0) {
      ended_ = true;
      TRY(check_end());
    }
    return static_cast<std::size_t>(n);
  }

 private:
  static la_ssize_t give(archive* a, void* self, const void** bytes) {
    auto* stream = static_cast<ArchiveFilterStream*>(self);
    auto n = stream->input_->read(stream->buffer_);
    if (!n) {
      stream->input_error_ = std::move(n).error();
      archive_set_error(a, EIO, "read error");
      return -1;
    }
    stream->given_ += *n;
    *bytes = stream->buffer_.data();
    return static_cast<la_ssize_t>(*n);
  }

  Error failure() {
    if (input_error_) return *input_error_;
    const char* text = archive_error_string(archive_);
    return Error(ErrorKind::malformed, std::string("compressed stream: it is cut off or damaged") +
                                           (text ? std::string(" (") + text + ")" : ""));
  }

  /// A decoder may stop before the end of its input without a word.
  Result<void> check_end() {
    // The last filter is the one that reads from us; it counts what the decoder took from it.
    const auto used = static_cast<std::uint64_t>(archive_filter_bytes(archive_, -1));
    const std::size_t more = used < given_ ? 1 : TRY(input_->read(buffer_));
    if (more != 0)
      return Error(ErrorKind::malformed,
                   "compressed stream: bytes behind its end that belong to nothing");
    return {};
  }

  std::unique_ptr<ByteStream> input_;
  Bytes buffer_;
  archive* archive_;
  std::optional<Error> input_error_;
  std::uint64_t given_ = 0;
  bool ended_ = false;
};

}  // namespace

Result<std::unique_ptr<ByteStream>> make_archive_filter_stream(std::unique_ptr<ByteStream> input) {
  auto stream = std::make_unique<ArchiveFilterStream>(std::move(input));
  TRY(stream->open());
  return std::unique_ptr<ByteStream>(std::move(stream));
}

}  // namespace intact::oci
