#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>

namespace intact::block {

inline constexpr std::uint64_t kSectorSize = 512;  ///< bytes; what the kernel counts in

/// What a device can do. Constant while it is open, except that make_writable() changes
/// `writable`.
struct Limits {
  std::uint32_t block_size = 512;  ///< unit of the writing operations in bytes, a power of two
  bool writable = false;
};

/// What is known of a range without reading it.
enum class ExtentKind {
  data,  ///< anything; has to be read
  zero,  ///< reads as zeros, and takes space
  hole,  ///< reads as zeros, and takes no space
};
struct Extent {
  std::uint64_t offset;  ///< bytes
  std::uint64_t length;  ///< bytes, not 0
  ExtentKind kind;

  bool operator==(const Extent&) const = default;
};
/// Returns false to get no more extents.
using ExtentSink = std::function<bool(const Extent&)>;

/// A fact about the work of a device since it was opened, for people and programs.
struct Counter {
  std::string_view name;                                                 ///< a literal: "corrupted"
  std::variant<std::monostate, bool, std::uint64_t, std::string> value;  ///< monostate: none yet
};

/// A block device in userspace: a file, or a target as device-mapper has them, which encrypts,
/// verifies or rearranges what is on the devices below it. Targets stack, and share the ownership
/// of the devices below. Offsets and lengths are in bytes.
///
/// Reads (of ByteSource) may start and end anywhere and may run at the same time. The other
/// operations take whole blocks of limits().block_size. If two of them overlap, or one overlaps a
/// read, it is unspecified which bytes a reader sees, but the device stays consistent.
///
/// No operation is passed to the device below by default. Every target defines each operation,
/// since one that is harmless for a file (a discard, for example) can expose or destroy data below
/// a target that encrypts or verifies.
class Device : public ByteSource {
 public:
  virtual Limits limits() const = 0;
  bool writable() const { return limits().writable; }
  std::uint32_t block_size() const { return limits().block_size; }

  /// Begins to write to a device that was opened for reading only, in the same state as if it had
  /// been opened for writing. The devices below have to be writable. Nothing else may be called at
  /// the same time. After an error it stays readable. By default invalid_argument unless the device
  /// is writable already.
  virtual Result<void> make_writable();
  /// Whether make_writable() would be refused for what is on the device, as far as that can be told
  /// without writing: its error. By default nothing is.
  virtual Result<void> check_make_writable() const { return {}; }

  /// All of `bytes` at `offset`. What was written is durable only after a flush.
  virtual Result<void> write(std::uint64_t offset, ByteSpan bytes) = 0;
  /// When this returns, all that was written before the call survives a power cut.
  virtual Result<void> flush() = 0;
  /// The content of the range is no longer needed: until it is written again, reads of it may
  /// return any bytes.
  virtual Result<void> discard(std::uint64_t offset, std::uint64_t length) = 0;
  /// The range reads as zeros afterwards.
  virtual Result<void> zero(std::uint64_t offset, std::uint64_t length) = 0;

  /// Calls `sink` with extents that follow one another from `offset` on. They need not reach the
  /// end of the range if the search takes long; at least one is found if `length` is not 0. A
  /// device that verifies claims zeros only where it has verified that. By default everything is
  /// data. Errors: malformed for a range beyond the end; those of a read.
  virtual Result<void> extents(std::uint64_t offset, std::uint64_t length,
                               const ExtentSink& sink) const;

  /// Counts since the device was opened, by the names of the kernel where it has them. Thread-safe.
  virtual std::vector<Counter> counters() const { return {}; }
  /// What `dmsetup status` shows for this target after its name; empty if the kernel shows nothing.
  /// Thread-safe.
  virtual std::string dm_status() const { return {}; }
  /// One line about damage that was met, or about data that was changed when the device was opened;
  /// empty without either. Thread-safe.
  virtual std::string summary() const { return {}; }

  /// Makes everything durable and ends the use of the device: later requests may fail. Does not
  /// close the devices below. Nothing else may be called at the same time. A device that is
  /// destroyed without it leaves the state of a crash.
  virtual Result<void> close() { return {}; }
};

/// A device that refuses all writing operations (invalid_argument); flush() has nothing to do.
class ReadOnlyDevice : public Device {
 public:
  Result<void> write(std::uint64_t offset, ByteSpan bytes) final;
  Result<void> flush() final { return {}; }
  Result<void> discard(std::uint64_t offset, std::uint64_t length) final;
  Result<void> zero(std::uint64_t offset, std::uint64_t length) final;
};

/// The refusal of a writing operation by a device that is not writable: invalid_argument.
Error read_only_error();

/// Whether the range is within `size` bytes: malformed if not.
Result<void> check_range(std::uint64_t size, std::uint64_t offset, std::uint64_t length);

/// check_range, and whether it consists of whole blocks: invalid_argument if not.
Result<void> check_blocks(const Device& device, std::uint64_t offset, std::uint64_t length);

/// The extents of a whole device: gaps that a device leaves at the end of a search are searched
/// again, and neighbours of one kind are joined. Stops at the first error.
Result<void> for_each_extent(const Device& device, const ExtentSink& sink);

}  // namespace intact::block
