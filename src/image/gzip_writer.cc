#include "gzip_writer.h"

#include <algorithm>
#include <limits>

#include <zlib.h>

namespace intact::image {

struct GzipWriter::State {
  z_stream stream{};
  gz_header header{};
  Bytes out = Bytes(256 * 1024);
  int status = Z_OK;
};

GzipWriter::GzipWriter(Sink sink) : sink_(std::move(sink)), state_(std::make_unique<State>()) {
  constexpr int kGzip = 15 + 16;  // the largest window, gzip's framing
  state_->status = deflateInit2(&state_->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzip, 8,
                                Z_DEFAULT_STRATEGY);
  state_->header.os = 255;  // unknown: the same on every system
  if (state_->status == Z_OK) state_->status = deflateSetHeader(&state_->stream, &state_->header);
}

GzipWriter::~GzipWriter() {
  deflateEnd(&state_->stream);
}

Result<void> GzipWriter::write(ByteSpan bytes) {
  while (!bytes.empty()) {
    const std::size_t part = std::min<std::size_t>(bytes.size(), std::numeric_limits<uInt>::max());
    TRY(deflate_all(bytes.first(part), Z_NO_FLUSH));
    bytes = bytes.subspan(part);
  }
  return {};
}

Result<void> GzipWriter::finish() {
  return deflate_all({}, Z_FINISH);
}

Result<void> GzipWriter::deflate_all(ByteSpan bytes, int flush) {
  if (state_->status != Z_OK) return Error(ErrorKind::io, "zlib cannot compress: out of memory");
  z_stream& z = state_->stream;
  // zlib does not write to its input; its interface is older than const.
  z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  do {
    z.next_out = reinterpret_cast<Bytef*>(state_->out.data());
    z.avail_out = static_cast<uInt>(state_->out.size());
    if (deflate(&z, flush) == Z_STREAM_ERROR) return Error(ErrorKind::io, "zlib cannot compress");
    TRY(sink_(ByteSpan(state_->out).first(state_->out.size() - z.avail_out)));
  } while (z.avail_out == 0);
  return {};
}

}  // namespace intact::image
