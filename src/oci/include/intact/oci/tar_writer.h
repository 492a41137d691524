#pragma once

#include <cstdint>
#include <functional>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/oci/tar_entry.h>

namespace intact::oci {

/// Where produced bytes go.
using ByteSink = std::function<Result<void>(ByteSpan)>;

/// Writes ustar with PAX headers where ustar cannot say it (long names, large numbers, fractions of
/// a second, xattrs). The same entries give the same bytes: no user names, no times of writing.
/// Entries come in the order in which they are added. Not thread-safe.
class TarWriter {
 public:
  explicit TarWriter(ByteSink sink) : sink_(std::move(sink)) {}

  /// Begins an entry; a regular file's `size` bytes of content must follow by write_content().
  /// invalid_argument for entries that tar cannot hold.
  Result<void> add(const TarEntry& entry);
  Result<void> write_content(ByteSpan bytes);
  /// Writes the end mark. invalid_argument when content is missing.
  Result<void> finish();

 private:
  Result<void> end_entry();
  Result<void> write_padding(std::uint64_t size);

  ByteSink sink_;
  std::uint64_t content_left_ = 0;
  std::uint64_t content_size_ = 0;
};

}  // namespace intact::oci
