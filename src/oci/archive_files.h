#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/base/unique_fd.h>
#include <intact/oci/decompress.h>

namespace intact::oci {

/// The regular files of a tar on disk, each as a range of it. Const functions are thread-safe.
class ArchiveFiles {
 public:
  struct Range {
    std::uint64_t offset;  ///< bytes
    std::uint64_t size;    ///< bytes
  };

  /// Indexes a tar without reading the content of its files. A compressed one is unpacked into an
  /// unnamed temporary file first.
  static Result<ArchiveFiles> open(const std::string& file, const DecompressLimits& limits);

  /// The file at `path`, symbolic and hard links followed within the archive; nothing when there is
  /// none.
  std::optional<Range> find(std::string_view path) const;

  Result<std::unique_ptr<ByteStream>> open(const Range& range) const;
  /// The whole of it; over `limit` bytes: kind limit.
  Result<Bytes> read(const Range& range, std::uint64_t limit) const;

 private:
  struct File {
    Range range;
    std::string link;  ///< path in the archive of what it stands for; empty for a file itself
  };

  explicit ArchiveFiles(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> index();

  UniqueFd fd_;
  std::map<std::string, File, std::less<>> files_;
};

}  // namespace intact::oci
