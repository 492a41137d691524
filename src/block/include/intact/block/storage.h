#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include <intact/base/result.h>

namespace intact::block {

/// A part of a regular file or of a block device that has the bytes of something else: of a
/// partition, a loop device, or the same under its own name. Offsets in bytes.
struct StorageRange {
  dev_t device;  ///< of the file system, or the block device
  ino_t inode;   ///< 0: a block device
  std::uint64_t begin, end;
  /// The bytes are there, in this order. Otherwise some of them may be, in any place: of a
  /// device-mapper device the devices below, of a file the device that its file system is on.
  bool exact;
};

/// What a loop device is attached to.
struct LoopBacking {
  dev_t device;  ///< of the file system that has the file
  ino_t inode;
  dev_t block_device;  ///< the file is this block device; 0: it is a regular file
  std::uint64_t offset;
  std::uint64_t limit;  ///< bytes; 0: up to the end of the file
};

/// Where the kernel says what block devices consist of; other places in tests.
struct StorageSources {
  std::string sys = "/sys";
  /// What a loop device is attached to; nothing if it is none, or if it cannot be asked.
  std::function<std::optional<LoopBacking>(dev_t)> loop = loop_backing;

  /// Asks the device itself (LOOP_GET_STATUS64), by its number.
  static std::optional<LoopBacking> loop_backing(dev_t number);
};

/// Where the bytes [offset, offset + length) of an open file or block device are: partitions are
/// parts of their disks and loop devices parts of their files, down to what is neither. A device
/// about which the kernel says nothing is only itself.
Result<std::vector<StorageRange>> storage_of(int fd, std::uint64_t offset, std::uint64_t length,
                                             const StorageSources& sources = {});
/// The same of a block device by its number.
std::vector<StorageRange> storage_of_device(dev_t number, std::uint64_t offset,
                                            std::uint64_t length,
                                            const StorageSources& sources = {});

/// The bytes that both have.
struct SharedStorage {
  std::uint64_t begin, end;  ///< counted from the start of the first one's range
  bool exact;                ///< false: which bytes is not known; begin and end are 0
};
std::optional<SharedStorage> shared_storage(const std::vector<StorageRange>& a,
                                            const std::vector<StorageRange>& b);

}  // namespace intact::block
