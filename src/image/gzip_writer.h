#pragma once

#include <functional>
#include <memory>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

namespace intact::image {

/// Compresses to one gzip member without name and time, so that the same bytes give the same member
/// wherever the same zlib runs. Not thread-safe.
class GzipWriter {
 public:
  using Sink = std::function<Result<void>(ByteSpan)>;

  explicit GzipWriter(Sink sink);
  ~GzipWriter();
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;

  Result<void> write(ByteSpan bytes);
  Result<void> finish();

 private:
  struct State;  // zlib's
  Result<void> deflate_all(ByteSpan bytes, int flush);

  Sink sink_;
  std::unique_ptr<State> state_;
};

}  // namespace intact::image
