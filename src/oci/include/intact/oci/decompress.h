#pragma once

#include <cstdint>
#include <memory>

#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/oci/compression.h>

namespace intact::oci {

/// What compressed streams may grow to. Deflate packs zeros at most 1032 to 1, zstd and bzip2 far
/// denser; the file systems of real images lie below 20 to 1, but for preallocated files of zeros:
/// those are why the first GiBs are free. They cost some seconds, and no memory.
struct DecompressLimits {
  std::uint64_t output_bytes = 256ull << 30;  ///< of one stream
  std::uint64_t total_bytes = 1ull << 40;     ///< of all streams that share an Expansion
  /// Output bytes for each input byte, checked once the output is over `ratio_from` bytes; both
  /// are those of all streams that share an Expansion.
  std::uint64_t ratio = 200;
  std::uint64_t ratio_from = 8ull << 30;
};

/// What streams have used of their limits together: the layers of one image, one after the other.
struct Expansion {
  std::uint64_t input = 0;   ///< bytes read
  std::uint64_t output = 0;  ///< bytes they became
};

/// The decompressed bytes of `stream`, whose compression is recognised by its first bytes: gzip
/// (several members, inflated by ISA-L), zstd (several frames, skippable ones skipped), xz, bzip2,
/// or none. The stream is read to its real end: a cut stream, a wrong checksum or length, and bytes
/// behind the last member that are no other member are malformed; over a limit: kind limit.
/// `found` gets the compression, when not null. With `total` the limits hold for this stream and
/// all before it; no two of them may be read at the same time. A zstd window may have 128 MiB at
/// most.
Result<std::unique_ptr<ByteStream>> decompress(std::unique_ptr<ByteStream> stream,
                                               const DecompressLimits& limits = {},
                                               Compression* found = nullptr,
                                               std::shared_ptr<Expansion> total = nullptr);

}  // namespace intact::oci
