#pragma once

#include <cstdint>
#include <memory>

#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/oci/media_types.h>

namespace intact::oci {

/// What compressed streams may grow to, and what it may take to decode them. Deflate packs zeros at
/// most 1032 to 1, zstd and bzip2 far denser. Real file systems stay below 20 to 1, except for
/// preallocated files of zeros, which is why the first GiBs are free: they cost seconds but no
/// memory.
struct DecompressLimits {
  std::uint64_t output_bytes = 256ull << 30;  ///< of one stream
  std::uint64_t total_bytes = 1ull << 40;     ///< of all streams that share an Expansion
  /// Output bytes for each input byte, checked once the output is over `ratio_from` bytes; both
  /// are those of all streams that share an Expansion.
  std::uint64_t ratio = 200;
  std::uint64_t ratio_from = 8ull << 30;
  /// Zeros that sparse files of an archive do not store (see TarLimits), which cost as much time.
  std::uint64_t hole_bytes = 8ull << 30;
  /// Memory of one decoder: the dictionary of xz, the window of zstd (whose size counts as the next
  /// lower power of two). 128 MiB are enough for `xz -9` and for `zstd --ultra --long`.
  std::uint64_t memory_bytes = 128ull << 20;
};

/// What streams have used of their limits together: the layers of one image, one after the other.
struct Expansion {
  std::uint64_t input = 0;   ///< bytes read
  std::uint64_t output = 0;  ///< bytes they became
};

/// The decompressed bytes of `stream`, whose first bytes tell the compression: gzip (several
/// members, inflated by ISA-L), zstd (several frames, skippable ones skipped), xz, bzip2, or none.
/// The stream is read to its real end: a cut stream, a wrong checksum or length, and bytes after
/// the last member that are not another member are malformed. Over a limit: kind limit, and the
/// message names the option that raises it. `found` gets the compression, when not null. With
/// `total` the limits apply to this stream and all before it; only one of them may be read at a
/// time.
Result<std::unique_ptr<ByteStream>> decompress(std::unique_ptr<ByteStream> stream,
                                               const DecompressLimits& limits = {},
                                               Compression* found = nullptr,
                                               std::shared_ptr<Expansion> total = nullptr);

}  // namespace intact::oci
