#pragma once

#include <cstdint>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>

namespace intact::block {

/// A block device in userspace, which device-mapper calls a target. Targets stack: one that
/// encrypts or verifies shares the ownership of the one below it. Offsets and lengths are in bytes.
///
/// Reads (of ByteSource) may start and end anywhere and may run at the same time. The other
/// operations take whole blocks of block_size(). If two of them overlap, or one overlaps a read, it
/// is unspecified which bytes a reader sees, but the target stays consistent.
///
/// No operation is passed to the target below by default. Every target defines each operation,
/// since one that is harmless for a file (a discard, for example) can expose or destroy data below
/// a target that encrypts or verifies.
class BlockTarget : public ByteSource {
 public:
  virtual bool writable() const = 0;
  /// Unit of the writing operations in bytes, a power of two.
  virtual std::uint32_t block_size() const = 0;

  /// All of `bytes` at `offset`. What was written is durable only after a flush.
  virtual Result<void> write(std::uint64_t offset, ByteSpan bytes) = 0;
  /// When this returns, all that was written before the call survives a power cut.
  virtual Result<void> flush() = 0;
  /// The content of the range is no longer needed; what it reads as is up to the target.
  virtual Result<void> discard(std::uint64_t offset, std::uint64_t length) = 0;
  /// The range reads as zeros afterwards.
  virtual Result<void> zero(std::uint64_t offset, std::uint64_t length) = 0;
};

/// A target that refuses all writing operations (invalid_argument); flush() has nothing to do.
class ReadOnlyTarget : public BlockTarget {
 public:
  bool writable() const final { return false; }
  Result<void> write(std::uint64_t offset, ByteSpan bytes) final;
  Result<void> flush() final { return {}; }
  Result<void> discard(std::uint64_t offset, std::uint64_t length) final;
  Result<void> zero(std::uint64_t offset, std::uint64_t length) final;
};

/// Whether the range is within `size` bytes: malformed if not.
Result<void> check_range(std::uint64_t size, std::uint64_t offset, std::uint64_t length);

/// check_range, and whether it consists of whole blocks: invalid_argument if not.
Result<void> check_blocks(const BlockTarget& target, std::uint64_t offset, std::uint64_t length);

}  // namespace intact::block
