#include <intact/oci/hashing_stream.h>

namespace intact::oci {

Result<std::size_t> HashingStream::read(MutableByteSpan out) {
  const std::size_t n = TRY(stream_.read(out));
  hasher_.update(out.first(n));
  size_ += n;
  return n;
}

static Result<void> drain(ByteStream& stream) {
  Bytes buffer(64 * 1024);
  while (TRY(stream.read(buffer)) != 0) {
  }
  return {};
}

Result<Digest> HashingStream::finish() {
  TRY(drain(*this));
  return hasher_.finish();
}

Result<std::size_t> CheckedStream::read(MutableByteSpan out) {
  if (ended_) return std::size_t{0};
  const std::size_t n = TRY(stream_->read(out));
  hasher_.update(out.first(n));
  size_ += n;
  const auto wrong_size = [&](std::string_view than) {
    return Error(ErrorKind::tampered, expected_.to_string() + ": the blob is " + std::string(than) +
                                          " than the " + std::to_string(*expected_size_) +
                                          " bytes it should have");
  };
  if (expected_size_ && size_ > *expected_size_) return wrong_size("longer");
  if (n != 0) return n;
  ended_ = true;
  if (expected_size_ && size_ < *expected_size_) return wrong_size("shorter");
  if (const Digest actual = hasher_.finish(); actual != expected_)
    return Error(ErrorKind::tampered,
                 expected_.to_string() + ": the blob's digest is " + actual.to_string());
  return std::size_t{0};
}

Result<void> CheckedStream::finish() {
  return drain(*this);
}

}  // namespace intact::oci
