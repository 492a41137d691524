#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <intact/base/result.h>
#include <intact/base/stream.h>

namespace intact::oci {

/// Size of the pieces in which compressed input is read, in bytes.
inline constexpr std::size_t kInputPiece = 256 * 1024;

/// Streams that decode `input` to its real end; see decompress() for what they refuse. gzip and
/// bzip2 take less than 5 MiB of memory, whatever the input says. xz and zstd take what the input
/// asks for: over `memory_limit` bytes that is an error of kind limit.
std::unique_ptr<ByteStream> make_gzip_stream(std::unique_ptr<ByteStream> input);
std::unique_ptr<ByteStream> make_bzip2_stream(std::unique_ptr<ByteStream> input);
std::unique_ptr<ByteStream> make_xz_stream(std::unique_ptr<ByteStream> input,
                                           std::uint64_t memory_limit);
std::unique_ptr<ByteStream> make_zstd_stream(std::unique_ptr<ByteStream> input,
                                             std::uint64_t memory_limit);

/// "FORMAT: WHAT 673 MiB, over the limit of 128 MiB for decoders; raise --max-decoder-memory".
Error decoder_memory_error(std::string_view format, std::string_view what, std::uint64_t needed,
                           std::uint64_t limit);

}  // namespace intact::oci
