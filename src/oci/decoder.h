#pragma once

#include <memory>

#include <intact/base/result.h>
#include <intact/base/stream.h>

namespace intact::oci {

/// Size of the pieces in which compressed input is read, in bytes.
inline constexpr std::size_t kInputPiece = 256 * 1024;

/// Streams that decode `input` to its real end; see decompress() for what they refuse.
std::unique_ptr<ByteStream> make_gzip_stream(std::unique_ptr<ByteStream> input);
std::unique_ptr<ByteStream> make_zstd_stream(std::unique_ptr<ByteStream> input);
/// xz and bzip2, by libarchive's filters.
Result<std::unique_ptr<ByteStream>> make_archive_filter_stream(std::unique_ptr<ByteStream> input);

}  // namespace intact::oci
