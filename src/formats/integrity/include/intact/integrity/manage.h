#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/block/file_device.h>
#include <intact/integrity/integrity_target.h>
#include <intact/integrity/layout.h>
#include <intact/integrity/params.h>

// What administrators do with a device. Nobody else may use it meanwhile, so the caller holds the
// locks of its files. Sizes are in sectors of 512 bytes unless stated otherwise. None of these
// functions may be called twice at a time for one device.
namespace intact::integrity {

// --- what a user says ---------------------------------------------------------------------------

/// What a user states about a device, as in integritysetup's options, but for its algorithms.
struct StatedParams {
  std::uint64_t start = 0;                         ///< sectors before the superblock
  std::optional<std::uint32_t> tag_size = {};      ///< bytes; the superblock must agree
  std::optional<std::uint32_t> sector_size = {};   ///< bytes; likewise. Formatting: 512 if none
  std::optional<std::uint64_t> journal_size = {};  ///< bytes
  std::uint32_t interleave_sectors = Params().interleave_sectors;
  bool legacy_padding = false;
  bool legacy_hmac = false;

  std::uint32_t buffer_sectors = Params().buffer_sectors;
  std::uint32_t journal_watermark = Params().journal_watermark;  ///< percent
  std::uint32_t journal_commit_time = Params().commit_time;      ///< ms
  std::uint64_t bitmap_sectors_per_bit = Params().sectors_per_bit;
  std::uint32_t bitmap_flush_time = Params().bitmap_flush_interval;  ///< ms
  bool no_journal = false;
  bool bitmap_mode = false;
  bool recovery_mode = false;
  bool in_line = false;
  bool recalculate = false;
  bool recalculate_reset = false;
  bool legacy_recalculate = false;
  bool allow_discards = false;

  /// The params without algorithms; the block size is 512 unless one is stated. invalid_argument,
  /// with the option and the kernel's message where it has one, for a number that cannot be.
  Result<Params> params() const;
};

// --- opening ------------------------------------------------------------------------------------

struct Opening {
  Params params;
  std::optional<Superblock> superblock = {};  ///< always there except in recovery
};
/// Completes the params of a user with what the superblock says: the block size, unless
/// `block_size` (bytes) is given, and the tag size, unless `given` has one or the hash has a key,
/// whose tags are of full size unless the user says otherwise. What only formatting decides becomes
/// the default. Recovery needs no superblock and keeps all. Errors of read_superblock().
Result<Opening> params_for_opening(Params given, std::optional<std::uint32_t> block_size,
                                   const Devices& devices);

/// What is trusted without a check when the device is opened like this, a clause for each, for
/// warnings: an option that gives up a protection says so at each use.
std::vector<std::string> unchecked_trust(const Superblock& superblock, const Params& params);

// --- formatting ---------------------------------------------------------------------------------

/// Everything for which format() would refuse these params, before anything is written. Returns the
/// params with the tag size filled in.
Result<Params> check_format(Params params, const Devices& devices);

/// What formatting would destroy, as far as the first 4096 bytes of a place show it.
struct Occupied {
  bool superblock = false;  ///< there is something in the superblock's place
  bool data = false;        ///< on a data device of its own, where wiping begins
};
/// Errors: invalid_argument if the device ends before params.start; read errors.
Result<Occupied> find_occupied(const Params& params, const Devices& devices);

/// Clears the place of the superblock, for format(), and flushes. After a crash the device is
/// without a superblock or as it was.
Result<void> erase_superblock(const Params& params, const Devices& devices);

/// Writes zeros to all of a formatted device, which gives every block its tag. Without a journal: a
/// wipe that was interrupted has lost nothing, and is repeated. Uses all processors.
/// invalid_argument: there is no internal hash. Errors of IntegrityTarget::open() and of writing.
Result<void> wipe(const Params& params, const Devices& devices, const Progress& progress = {});

// --- resizing -----------------------------------------------------------------------------------

struct ResizeRequest {
  /// What the device should provide; none: all that there is room for.
  std::optional<std::uint64_t> sectors = {};
  /// The length of the file with the data, in bytes; excludes `sectors`.
  std::optional<std::uint64_t> file_size = {};
  bool wipe = false;  ///< fill new sectors with zeros, instead of making tags for what they hold
};
struct Resized {
  std::uint64_t before;  ///< sectors provided
  std::uint64_t sectors;
  std::uint64_t file_before;  ///< bytes of the file or device with the data
  std::uint64_t file_size;
};
/// Changes the size of a device: replays its journal, changes the length of the file `data` to what
/// is requested or what the requested sectors need, shorter or longer, and gives new sectors their
/// tags. `data` stays open under its lock, whatever its path leads to by now. `meta`: null unless
/// the data are on a device of their own.
///
/// After a crash the device has its old size or the new one; sectors that are new may fail their
/// tags until it is resized again.
///
/// Errors: invalid_argument for a size that cannot be, and for a new length of a device that is not
/// a regular file; unsupported if tags with a key would vouch for data only because the superblock
/// says so, which nothing protects; those of IntegrityTarget::open(). Nothing has been written
/// then.
Result<Resized> resize(const Params& params, const std::shared_ptr<block::FileDevice>& data,
                       const std::shared_ptr<block::Device>& meta, const ResizeRequest& request,
                       const Progress& progress = {});

// --- replaying ----------------------------------------------------------------------------------

/// What a replay did.
struct Replayed {
  std::uint64_t sections = 0;  ///< of the journal
  std::uint64_t blocks = 0;
  std::uint64_t retagged_sectors = 0;  ///< see IntegrityTarget::Status
  /// The first sector whose tag is still to be calculated, by the next server or by a command.
  std::optional<std::uint64_t> first_without_tag = {};
};
/// Writes the blocks in the journal to their places and leaves the device clean. A crash leaves a
/// journal that can be replayed again. Errors of IntegrityTarget::open().
Result<Replayed> replay(const Params& params, const Devices& devices);

/// Whether replay() would accept the journal: tampered if not. Changes nothing, so that a device is
/// not copied in vain.
Result<void> check_replay(const Params& params, const Devices& devices);

/// The new files that a device is copied to.
struct CopyNames {
  std::string meta;       ///< of the superblock, journal and tags
  std::string data = {};  ///< of the data; empty unless they are on a device of their own
};
/// Copies a device into new files and replays the journal there. They get their names when that is
/// done, and are gone after an error. Errors of replay(), and those of making the files; see also
/// check_replay().
Result<Replayed> replay_into_copy(const Params& params, const Devices& devices,
                                  const CopyNames& names, const Progress& progress = {});

// --- recalculating ------------------------------------------------------------------------------

/// What a recalculation did, or would do.
struct Recalculated {
  enum class Tags { none, missing, all, marked_by_bitmap } tags;
  std::uint64_t sectors;  ///< of the device
};

/// What some places of a device show before new tags hide it.
struct TagSample {
  static constexpr std::uint64_t kLength = 4096;  ///< bytes of a place

  std::uint64_t bad = 0;     ///< places where data do not match their tags
  std::uint64_t places = 0;  ///< that were read

  /// Tags that match nowhere have never been written.
  bool shows_damage() const { return bad != 0 && bad != places; }
};

/// Whether hash and key fit the tags that are there. Tags must not be replaced by those of a wrong
/// key, which could not be told from right ones afterwards. If all tags would be replaced returns a
/// sample of them, since reading all would take as long as the work itself. Writes nothing.
Result<TagSample> check_recalculate(const Params& params, const Devices& devices);

/// Which tags recalculate() would make: all with `reset_recalculate`; those that are missing;
/// without a key all of them if none are known to be missing, unless a recalculation has reached
/// the end before; with a key also what the bitmap marks. invalid_argument, with what to do about
/// it: new tags for data that nothing has verified are a forger's aim, and nobody has asked for
/// them.
Result<Recalculated::Tags> tags_to_recalculate(const Params& params, const Devices& devices);

/// Opens the device, makes these tags and closes it. Errors of tags_to_recalculate() and
/// IntegrityTarget::open().
Result<Recalculated> recalculate(Params params, const Devices& devices,
                                 const Progress& progress = {});

// --- integritytab -------------------------------------------------------------------------------

/// A line of a file in the format of integritytab(5): NAME DEVICE [KEY-FILE|- [OPTIONS|-]]. What
/// the line does not say is empty; so is a number of zero, which means the default.
struct TabEntry {
  /// A path; for UUID=, LABEL=, PARTUUID= and PARTLABEL= the link that udev makes.
  std::string device = {};
  std::string data_device = {};                         ///< likewise; empty: the same device
  std::string key_file = {};                            ///< of the internal hash; empty: no key
  std::string algorithm = {};                           ///< as the line has it: "hmac-sha256"
  std::optional<Mode> mode = {};                        ///< journal, bitmap or direct
  std::optional<std::uint32_t> journal_watermark = {};  ///< percent
  std::optional<std::uint32_t> commit_time = {};        ///< ms
  bool allow_discards = false;

  /// What the line says of these counts more than what is stated.
  void apply_to(StatedParams& stated) const;

  bool operator==(const TabEntry&) const = default;
};

/// Finds the first line with this name. The text may be hostile. A key file without an algorithm
/// means "hmac-sha256". Options that only tell systemd when to set the device up are ignored.
/// Errors: not_found without such a line, malformed if it cannot be parsed, unsupported for an
/// unknown option. Thread-safe.
Result<TabEntry> parse_tab(std::string_view text, std::string_view name);

}  // namespace intact::integrity
