#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/progress.h>
#include <intact/base/result.h>
#include <intact/block/device.h>
#include <intact/crypto/secret.h>

namespace intact::integrity {

using block::kSectorSize;                   ///< the unit of everything, whatever the block size
constexpr std::uint32_t kMaxTagSize = 255;  ///< bytes

/// How data and tags are written. The letters are those in the kernel's table lines.
enum class Mode : char {
  journal = 'J',   ///< through a journal: a block and its tag change together
  bitmap = 'B',    ///< in place; a bitmap records where a crash may have left stale tags
  direct = 'D',    ///< in place; after a crash some blocks may fail their tags
  recovery = 'R',  ///< read-only; tags are not checked, the journal is not replayed
  in_line = 'I',   ///< tags in the device's own per-block metadata; not possible on files
};

/// A hash, MAC or cipher by its name in the kernel's crypto API, with its key if it takes one.
struct Algorithm {
  std::string name;                                ///< "crc32c", "hmac(sha256)", "ctr(aes)"
  std::shared_ptr<const crypto::Secret> key = {};  ///< null: no key

  ByteSpan key_bytes() const { return key ? key->expose() : ByteSpan(); }
};

/// The kernel's name of an algorithm that may be written as in integritysetup's options:
/// "hmac-sha256" is "hmac(sha256)", "ctr-aes" is "ctr(aes)"; "blake2b-256" stays as it is.
std::string kernel_name(std::string_view algorithm);

/// The kernel's limit is UINT_MAX ticks of at least 1 ms; this value is accepted everywhere.
constexpr std::uint32_t kMaxBitmapFlushInterval =
    std::numeric_limits<std::uint32_t>::max() - 1;  // ms

/// The parameters of a dm-integrity device: everything in a table line except the devices. The
/// defaults are the kernel's.
struct Params {
  std::uint64_t start = 0;  ///< reserved sectors before the superblock
  /// Bytes for each block; none: the digest size of the internal hash. The superblock must say the
  /// same. With a key pass less than the digest size only if the user asked for it: the shorter the
  /// tag, the easier it is to forge.
  std::optional<std::uint32_t> tag_size = {};
  Mode mode = Mode::journal;
  std::uint32_t block_size = 512;  ///< bytes: 512, 1024, 2048 or 4096

  // Used to format a device; later these are read from its superblock.
  std::optional<std::uint32_t> journal_sectors = {};  ///< none: 1/128 of the data, at most 64 MiB
  std::uint32_t interleave_sectors = 32768;  ///< data between two runs of tags; a power of two
  bool fix_padding = false;                  ///< pad runs of tags to 4 KiB instead of 128 KiB
  bool fix_hmac = false;  ///< put a salt into every hash; the journal MAC covers the superblock

  std::uint32_t buffer_sectors = 128;    ///< the kernel's unit for tag I/O; a power of two
  std::uint32_t journal_watermark = 50;  ///< percentage of journal use at which write-back starts
  std::uint32_t commit_time = 10000;  ///< ms after which written data is committed without a flush
  std::uint64_t sectors_per_bit = 32768;        ///< of the bitmap; a power of two
  std::uint32_t bitmap_flush_interval = 10000;  ///< ms

  std::optional<Algorithm> internal_hash = {};  ///< none: the layer above supplies the tags
  std::optional<Algorithm> journal_crypt = {};
  std::optional<Algorithm> journal_mac = {};

  bool recalculate = false;        ///< compute the tags that are not valid yet
  bool reset_recalculate = false;  ///< compute all tags again
  /// Believe what superblock and bitmap say about tags that are not valid, although anyone who can
  /// write to the device could have written that: recalculates with a key without a protected
  /// superblock, and after a crash in mode B gives marked regions new tags for the data they hold.
  bool legacy_recalculate = false;
  /// Accept a device with a journal MAC whose superblock is not under that MAC (no fix_hmac).
  /// Anyone who can write to the device can change such a superblock.
  bool legacy_hmac = false;
  /// Allow discards. A discarded block returns undefined data, or zeros if the internal hash has a
  /// key.
  bool allow_discards = false;

  /// Whether tags are made with a key, so that only its owner can make them.
  bool keyed() const { return internal_hash && !internal_hash->key_bytes().empty(); }
};

/// log2 of the number of sectors in a block.
unsigned log2_sectors_per_block(const Params& params);

/// Checks what the kernel's constructor checks before it looks at the devices, with the kernel's
/// messages where it has any. Errors: invalid_argument for options that contradict each other or
/// are out of range, unsupported for unknown algorithms, bad_secret for a key that an algorithm
/// needs or rejects. Returns the tag size in bytes.
Result<std::uint32_t> check_params(const Params& params, bool has_meta_device);

/// Wrong usage rather than a wrong key: no key for an algorithm that needs one, or a key for one
/// that takes none, with the options of the command line that are to change. Errors:
/// invalid_argument. Everything else is left to check_params().
Result<void> check_keys_given(const Params& params);

/// Error unsupported for in-line mode, which files cannot provide.
Result<void> check_mode(const Params& params);

}  // namespace intact::integrity
