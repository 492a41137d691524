#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include <intact/integrity/layout.h>
#include <intact/integrity/params.h>

#include "message_hash.h"
#include "meta_io.h"

namespace intact::integrity {

/// The superblock on its device, with its MAC where there is one. Thread-safe.
class SuperblockStore {
 public:
  struct Place {
    std::uint64_t start;  ///< sectors before it
    Mode mode;
    bool has_meta_device;
  };
  /// `on_disk`: the bytes of the device that a write replaces.
  static Result<std::unique_ptr<SuperblockStore>> create(const Params& params, bool has_meta_device,
                                                         Bytes on_disk, const Superblock& value);

  Superblock get() const;
  /// Changes it in memory.
  template <typename Change>
  void change(Change how) {
    const std::lock_guard lock(mutex_);
    how(value_);
  }
  /// Writes it and flushes.
  Result<void> save(MetaIo& meta);
  /// The same if it differs from what is on disk.
  Result<void> save_changes(MetaIo& meta);

 private:
  SuperblockStore(Place place, Bytes on_disk, const Superblock& value)
      : place_(place), on_disk_(std::move(on_disk)), value_(value) {}

  const Place place_;
  std::unique_ptr<const MessageHash> mac_;
  mutable std::mutex mutex_;
  Bytes on_disk_;
  Superblock value_;
  std::optional<Superblock> saved_;  // what is on disk, if known
};

/// The 4096 bytes where the superblock is or will be.
Result<Bytes> read_superblock_bytes(const Params& params, const block::Device& meta);

/// Checks the MAC at the end of the first sector: bad_secret if it does not match, invalid_argument
/// for a MAC that has no room there. Nothing to check without journal MAC or fixed_hmac.
Result<void> check_superblock_mac(const Params& params, const Superblock& superblock,
                                  ByteSpan on_disk);

}  // namespace intact::integrity
