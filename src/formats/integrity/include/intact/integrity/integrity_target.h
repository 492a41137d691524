#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/block/device.h>
#include <intact/crypto/secret.h>
#include <intact/integrity/layout.h>
#include <intact/integrity/params.h>

namespace intact::integrity {

/// The devices below. Everything is on `data` unless there is a `meta`.
struct Devices {
  std::shared_ptr<block::Device> data;
  std::shared_ptr<block::Device> meta = {};  ///< superblock, journal and tags

  block::Device& of_meta() const { return meta ? *meta : *data; }
  DeviceSizes sizes() const;
};

/// Formats the device as Linux does with these params: journal first, superblock last. Tags stay as
/// they are, so reads fail until blocks are written or tags recalculated. Error exists unless the
/// place of the superblock is all zero.
Result<Superblock> format(const Params& params, const Devices& devices);

/// Reads the superblock. Errors: not_found ("The device is not initialized") for zeros, malformed
/// for anything else that is not a superblock.
Result<Superblock> read_superblock(const Params& params, const Devices& devices);

/// How many sectors a device provides: by its superblock, or in recovery without one by the params.
/// Errors of read_superblock() and Layout::create().
Result<std::uint64_t> provided_sectors(const Params& params, const Devices& devices);

/// Consecutive blocks that fail their tags.
struct Mismatch {
  std::uint64_t sector;  ///< first logical sector
  std::uint64_t sectors;

  bool operator==(const Mismatch&) const = default;
};

/// A dm-integrity device in userspace, with the kernel's on-disk format bit for bit. If there is an
/// internal hash, every read checks every block against its tag. Thread-safe.
///
/// With a keyed hash nothing on the device can turn that off: neither the superblock nor the bitmap
/// makes a block readable without a check, or gets it a new tag, unless the params say so
/// (recalculate, reset_recalculate, legacy_recalculate, mode R).
///
/// After a power cut: in mode J each block has the content of some write, never of one before the
/// last completed flush. In D and B a block written since then may fail its tag; in B without a key
/// such blocks get a new tag, whatever they hold.
///
/// The first error while reading or writing tags, journal, bitmap or superblock, or during a flush,
/// is final: every later operation fails with it until the device is opened again. A mismatch is
/// not final, nor is a failing read or write of data in place.
class IntegrityTarget final : public block::Device {
 public:
  struct Options {
    /// The kSuperblockSize bytes of the superblock as they were read before, which are not read
    /// again; empty: they are read.
    Bytes superblock = {};
    bool read_only = false;  ///< write nothing; read journaled blocks from the journal
    /// Format a device whose superblock is zero first, as the kernel does.
    bool format_zeroed = false;
    /// Open a device that is smaller than its superblock says, with what is left. Otherwise it is
    /// malformed (except in recovery): most likely it was cut short.
    bool may_shrink = false;
    /// Read some blocks before anything is returned or written; if all of them fail, hash or key
    /// are considered wrong. A device whose tags were never written passes.
    bool check_key = true;
    /// Use a background thread to commit, write back, flush the bitmap and recalculate. Without it
    /// writes and flushes perform this work inline; timed work is skipped, and recalculate() has to
    /// be called.
    bool background = true;
    std::size_t tag_cache_size = 16 << 20;  ///< bytes
    /// Bytes for sections of the journal, which is read again where it is larger. Where its blocks
    /// are takes memory as well, about 64 bytes for each.
    std::size_t journal_memory = 64 << 20;
    /// Called for each mismatch that a read finds, on the reading thread, so possibly by several
    /// threads at once. Must not call back.
    std::function<void(const Mismatch&)> on_mismatch = {};
    /// The same for blocks that a read accepts unchecked because they are discarded.
    std::function<void(const Mismatch&)> on_discarded = {};
  };
  /// Counts since the device was opened; the first three are the kernel's status line.
  struct Status {
    std::uint64_t mismatches;  ///< reads that met blocks which fail their tags
    std::uint64_t provided_data_sectors;
    std::optional<std::uint64_t> recalc_sector;  ///< none: nothing was ever recalculated
    std::uint64_t replayed_sections;             ///< journal sections, at opening
    std::uint64_t replayed_blocks;
    std::uint64_t commits;  ///< journal commits
    std::uint64_t journal_free_entries;
    std::uint64_t dirty_regions;  ///< bits set in the bitmap
    /// With a keyed hash and legacy_recalculate: sectors that got new tags at opening because the
    /// bitmap marked them. Their data were not verified.
    std::uint64_t retagged_sectors;
    std::optional<std::string> failure;  ///< why the device fails all requests
  };

  /// Opens the device, replays what a crash left in the journal and starts a pending recalculation.
  /// Errors: invalid_argument for params that contradict each other, the superblock or the devices;
  /// unsupported for in-line mode, for unknown flags when writing, and for a superblock that asks
  /// for what an attacker could have asked for (a recalculation with a key, a journal MAC without
  /// fix_hmac); bad_secret for keys that do not or may not fit; tampered for a journal that fails
  /// its MAC or tags, and with a key for blocks that fail their tags in regions that the bitmap
  /// marks (when writing); malformed for impossible values. Nothing has been written then, except
  /// the superblock with format_zeroed.
  static Result<std::unique_ptr<IntegrityTarget>> open(const Params& params, const Devices& devices,
                                                       Options options);
  /// Calls close() and ignores its result.
  ~IntegrityTarget() override;

  /// Replays the journal and whatever else opening for writing does; errors are those of open().
  /// invalid_argument in recovery.
  Result<void> make_writable() override;
  Result<void> check_make_writable() const override;

  std::uint64_t size() const override;  ///< bytes
  block::Limits limits() const override;

  /// All or nothing: after an error `out` holds zeros. Error tampered if a block in the range fails
  /// its tag.
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override;
  Result<void> flush() override;
  /// Error unsupported unless discards are allowed. A discarded block returns undefined data, or
  /// zeros if the internal hash has a key.
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override;
  /// Outside of mode J the file system can release the space.
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override;

  /// For devices without internal hash: whole blocks and their tags, tag_size() bytes for each
  /// block. Error invalid_argument with an internal hash.
  Result<void> read_tagged(std::uint64_t offset, MutableByteSpan out, MutableByteSpan tags) const;
  Result<void> write_tagged(std::uint64_t offset, ByteSpan bytes, ByteSpan tags);
  std::uint32_t tag_size() const;  ///< bytes for each block

  /// Whether reads of this range check tags: not without an internal hash, in recovery, or where
  /// tags are still to be recalculated. Reduces `length` to the part to which the answer applies.
  bool is_checked(std::uint64_t offset, std::uint64_t& length) const;

  /// Recalculates until everything is done or `progress`, called with the current sector, returns
  /// false.
  Result<void> recalculate(const std::function<bool(std::uint64_t sector)>& progress = {});

  const Layout& layout() const;
  Superblock superblock() const;  ///< its current value
  Status status() const;
  /// The words of the table line after the device, as `dmsetup table` shows them, with zeros for
  /// keys: "0 4 J 7 journal_sectors:176 ...". `meta_device`: the name to show, if any.
  std::string table(const std::string& meta_device) const;
  /// The same with the keys, in memory that is wiped: for the kernel.
  crypto::Secret table_with_keys(const std::string& meta_device) const;

  /// Commits, writes back, marks the device clean and flushes; all later requests fail. Returns the
  /// first failure, after which the device looks as after a crash. Further calls return the same.
  Result<void> close() override;
  /// Those of status(), by the names of its fields, and "writable".
  std::vector<block::Counter> counters() const override;
  std::string dm_status() const override;
  std::string summary() const override;

 private:
  class Impl;
  explicit IntegrityTarget(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace intact::integrity
