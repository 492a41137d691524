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

struct SparseMap;

/// The regular files of a tar on disk, each as a range of it. Const functions are thread-safe.
class ArchiveFiles {
 public:
  struct Range {
    std::uint64_t offset;                     ///< bytes
    std::uint64_t size;                       ///< bytes, of a sparse file with its holes
    std::shared_ptr<const SparseMap> sparse;  ///< null for files that are not sparse
  };

  /// Indexes a tar without reading the content of its files. A compressed one is unpacked into an
  /// unnamed temporary file first. "-" is standard input.
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
    std::string link;  ///< path in the archive of a link's target; empty for a file
  };

  explicit ArchiveFiles(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> index(const DecompressLimits& limits);

  UniqueFd fd_;
  std::map<std::string, File, std::less<>> files_;
};

}  // namespace intact::oci
