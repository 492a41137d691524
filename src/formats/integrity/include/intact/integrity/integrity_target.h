#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/block/target.h>
#include <intact/integrity/layout.h>
#include <intact/integrity/params.h>
#include <intact/integrity/superblock.h>

namespace intact::integrity {

/// The devices below. Everything lies on `data` unless there is a `meta`.
struct Devices {
  std::shared_ptr<block::BlockTarget> data;
  std::shared_ptr<block::BlockTarget> meta = {};  ///< superblock, journal and tags

  block::BlockTarget& of_meta() const { return meta ? *meta : *data; }
  DeviceSizes sizes() const;
};

/// Formats as Linux does with these params: journal first, superblock last. Tags are left as they
/// are: reads fail until blocks are written or tags recalculated. exists unless the place of the
/// superblock is all zero.
Result<Superblock> format(const Params& params, const Devices& devices);

/// The superblock that is there. not_found, "The device is not initialized", for zeros; malformed
/// for anything else that is none.
Result<Superblock> read_superblock(const Params& params, const Devices& devices);

/// Blocks one behind the other that fail their tags.
struct Mismatch {
  std::uint64_t sector;  ///< first logical sector
  std::uint64_t sectors;

  bool operator==(const Mismatch&) const = default;
};

/// A dm-integrity device in userspace, bit for bit the kernel's on disk. Where there is an internal
/// hash, every block is checked against its tag at every read. Thread-safe.
///
/// What a power cut leaves: in mode J each block is as some write left it, never as one before the
/// last completed flush; in D and B a block written since then may fail its tag, in B it is given a
/// fresh tag, whatever it holds.
///
/// The first error in reading or writing tags, journal, bitmap or superblock, and of a flush, is
/// final: every later operation fails with it until the device is opened again. A mismatch is not,
/// nor is a failing read or write of data in place.
class IntegrityTarget final : public block::BlockTarget {
 public:
  struct Options {
    bool read_only = false;  ///< nothing is written; what is in the journal is read from there
    /// A zeroed superblock is formatted first, as the kernel does it.
    bool format_zeroed = false;
    /// A device that has become smaller than its superblock says provides what is left. Otherwise
    /// it is malformed (but in recovery): most likely it was cut short.
    bool may_shrink = false;
    /// Before anything is given out or written some blocks are read; if all of them fail, hash or
    /// key are taken to be wrong. A device of which no tag was ever written passes.
    bool check_key = true;
    /// A thread of its own commits, writes back, flushes the bitmap and recalculates. Without it
    /// writes and flushes do that by the way (but for what is due by time) and recalculate() has to
    /// be called.
    bool background = true;
    std::size_t tag_cache_size = 16 << 20;  ///< bytes
    /// Told of each mismatch that a read meets; by the reading thread, so perhaps by several at
    /// once. Must not call back.
    std::function<void(const Mismatch&)> on_mismatch = {};
  };
  /// Counts since the device was opened; the first three are the kernel's status line.
  struct Status {
    std::uint64_t mismatches;  ///< reads that met blocks which fail their tags
    std::uint64_t provided_data_sectors;
    std::optional<std::uint64_t> recalc_sector;  ///< none: there never was a recalculation
    std::uint64_t replayed_sections;             ///< of the journal, when it was opened
    std::uint64_t replayed_blocks;
    std::uint64_t commits;  ///< of the journal
    std::uint64_t journal_free_entries;
    std::uint64_t dirty_regions;         ///< bits set in the bitmap
    std::optional<std::string> failure;  ///< why the device fails all requests
  };

  /// Opens, replays what a crash left in the journal, begins what is to be recalculated. Errors:
  /// invalid_argument for params that do not fit each other, the superblock or the devices;
  /// unsupported for flags that nobody knows when writing, and for in-line mode; bad_secret for
  /// keys that do not fit or may not; tampered for a journal that fails its MAC or tags; malformed
  /// for what cannot be. Nothing has been written then, but for the superblock of a format_zeroed.
  static Result<std::unique_ptr<IntegrityTarget>> open(const Params& params, const Devices& devices,
                                                       Options options);
  /// close(), its result ignored.
  ~IntegrityTarget() override;

  std::uint64_t size() const override;  ///< bytes
  bool writable() const override;
  std::uint32_t block_size() const override;  ///< bytes

  /// All or nothing: after an error `out` holds zeros. tampered if a block in the range is bad.
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override;
  Result<void> flush() override;
  /// unsupported unless discards are allowed. A discarded block reads as anything, unchecked.
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override;
  /// Outside of mode J the file system is told that the data are zeros, and need not keep them.
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override;

  /// For devices without internal hash: whole blocks with the tags that were written with them, one
  /// tag of tag_size() bytes for each block. invalid_argument with an internal hash.
  Result<void> read_tagged(std::uint64_t offset, MutableByteSpan out, MutableByteSpan tags) const;
  Result<void> write_tagged(std::uint64_t offset, ByteSpan bytes, ByteSpan tags);
  std::uint32_t tag_size() const;  ///< bytes for each block

  /// Whether block tags of this range are checked by reads: not where there is no internal hash, in
  /// recovery, where tags are yet to be recalculated. `length` is cut to what is alike.
  bool is_checked(std::uint64_t offset, std::uint64_t& length) const;

  /// Recalculates until all is done, or until `progress` (told the sector reached) returns false.
  Result<void> recalculate(const std::function<bool(std::uint64_t sector)>& progress = {});

  const Layout& layout() const;
  Superblock superblock() const;  ///< as of now
  Status status() const;
  /// The table line's words behind the device, as `dmsetup table` shows them (keys as zeros unless
  /// `with_keys`): "0 4 J 7 journal_sectors:176 ...". `meta_device` is the name to show if any.
  std::string table(const std::string& meta_device, bool with_keys = false) const;

  /// Commits, writes back, marks the device clean and flushes; all later requests fail. The first
  /// failure is returned, and then a crash is what the device looks like. Again: same result.
  Result<void> close();

 private:
  class Impl;
  explicit IntegrityTarget(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace intact::integrity
