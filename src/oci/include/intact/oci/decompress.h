#pragma once

#include <cstdint>
#include <memory>

#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/oci/compression.h>

namespace intact::oci {

/// What a compressed stream may grow to. Deflate packs zeros at most 1032 to 1, zstd and bzip2 far
/// denser; the file systems of real images lie below 20 to 1.
struct DecompressLimits {
  std::uint64_t output_bytes = 256ull << 30;  ///< of one stream
  /// Output bytes for each input byte, checked once the output is over `ratio_from` bytes.
  std::uint64_t ratio = 200;
  std::uint64_t ratio_from = 256ull << 20;
};

/// The decompressed bytes of `stream`, whose compression is recognised by its first bytes: gzip
/// (several members, inflated by ISA-L), zstd (several frames, skippable ones skipped), xz, bzip2,
/// or none. The stream is read to its real end: a cut stream, a wrong checksum or length, and bytes
/// behind the last member that are no other member are malformed; over a limit: kind limit.
/// `found` gets the compression, when not null. A zstd window may have 128 MiB at most.
Result<std::unique_ptr<ByteStream>> decompress(std::unique_ptr<ByteStream> stream,
                                               const DecompressLimits& limits = {},
                                               Compression* found = nullptr);

}  // namespace intact::oci
