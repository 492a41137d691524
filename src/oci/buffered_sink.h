#pragma once

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/oci/tree_tar.h>

namespace intact::oci {

/// Joins small writes to large ones. flush() must be called at the end.
class BufferedSink {
 public:
  explicit BufferedSink(ByteSink sink) : sink_(std::move(sink)) { buffer_.reserve(kSize); }

  Result<void> write(ByteSpan bytes) {
    if (buffer_.size() + bytes.size() > kSize) TRY(flush());
    if (bytes.size() >= kSize) return sink_(bytes);
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    return {};
  }

  Result<void> flush() {
    if (!buffer_.empty()) TRY(sink_(buffer_));
    buffer_.clear();
    return {};
  }

 private:
  static constexpr std::size_t kSize = 256 * 1024;
  ByteSink sink_;
  Bytes buffer_;
};

}  // namespace intact::oci
