#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/secret.h>

namespace intact::integrity {

constexpr std::uint64_t kSectorSize = 512;  ///< bytes; the kernel's unit, whatever the block size
constexpr std::uint32_t kMaxTagSize = 255;  ///< bytes

/// How data and tags are written. The letters are those of the kernel's table lines.
enum class Mode : char {
  journal = 'J',   ///< both through a journal: a block and its tag change together
  bitmap = 'B',    ///< both in place; a bitmap says where a crash may have left tags stale
  direct = 'D',    ///< both in place; a crash leaves blocks that fail their tag
  recovery = 'R',  ///< read-only, tags unchecked, journal not replayed
  in_line = 'I',   ///< tags in the device's own metadata of each block; not for files
};

/// A hash, MAC or cipher as the kernel's crypto API names it, with its key if it takes one.
struct Algorithm {
  std::string name;                                ///< "crc32c", "hmac(sha256)", "ctr(aes)"
  std::shared_ptr<const crypto::Secret> key = {};  ///< null: none

  ByteSpan key_bytes() const { return key ? key->expose() : ByteSpan(); }
};

/// The kernel counts UINT_MAX ticks, the shortest of which are 1 ms: the limit wherever it runs.
constexpr std::uint32_t kMaxBitmapFlushInterval =
    std::numeric_limits<std::uint32_t>::max() - 1;  // ms

/// The parameters of a dm-integrity device: all that a table line says but for the devices. The
/// defaults are the kernel's.
struct Params {
  std::uint64_t start = 0;                     ///< reserved sectors in front of the superblock
  std::optional<std::uint32_t> tag_size = {};  ///< bytes for each block; none: the hash's digest
  Mode mode = Mode::journal;
  std::uint32_t block_size = 512;  ///< bytes: 512, 1024, 2048 or 4096

  // Heeded when a device is formatted, and read from its superblock ever after.
  std::optional<std::uint32_t> journal_sectors = {};  ///< none: 1/128 of the data, at most 64 MiB
  std::uint32_t interleave_sectors = 32768;  ///< data between two runs of tags; a power of two
  bool fix_padding = false;                  ///< runs of tags are padded to 4 KiB, not 128 KiB
  bool fix_hmac = false;  ///< salt in every hash; sections and superblock under the journal's MAC

  std::uint32_t buffer_sectors = 128;     ///< the kernel's unit for tag I/O; a power of two
  std::uint32_t journal_watermark = 50;   ///< per cent of journal use at which it is written back
  std::uint32_t commit_time = 10000;      ///< ms until written data is committed unasked
  std::uint64_t sectors_per_bit = 32768;  ///< of the bitmap; a power of two
  std::uint32_t bitmap_flush_interval = 10000;  ///< ms

  std::optional<Algorithm> internal_hash = {};  ///< none: whoever is above supplies the tags
  std::optional<Algorithm> journal_crypt = {};
  std::optional<Algorithm> journal_mac = {};

  bool recalculate = false;         ///< compute the tags that are not valid yet
  bool reset_recalculate = false;   ///< compute all of them anew
  bool legacy_recalculate = false;  ///< even where an attacker could have asked for it
  bool allow_discards = false;      ///< a discarded block reads as anything
};

/// log2 of the sectors of a block.
unsigned log2_sectors_per_block(const Params& params);

/// What the kernel's constructor checks before it looks at the devices, with its words where it has
/// any: invalid_argument for what does not go together or is out of range, unsupported for unknown
/// algorithms, bad_secret for a key that an algorithm lacks or refuses. Returns the tag size in
/// bytes.
Result<std::uint32_t> check_params(const Params& params, bool has_meta_device);

/// unsupported: in-line mode, which files have no place for.
Result<void> check_mode(const Params& params);

}  // namespace intact::integrity
