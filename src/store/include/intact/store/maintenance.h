#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <intact/base/damage.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/store/store.h>

namespace intact::store {

/// Its object is a path below the store's directory, or the directory of objects elsewhere that an
/// image needs; its path is in the first of `images` that has one.
struct StoreDamage : Damage {
  /// Names of all images that it breaks, sorted; empty if it breaks none in particular.
  std::vector<std::string> images = {};
};

struct FsckReport {
  std::uint64_t names = 0;  ///< checked, as are the next three
  std::uint64_t images = 0;
  std::uint64_t objects = 0;
  std::uint64_t blobs = 0;
  std::uint64_t bytes = 0;  ///< that were hashed
  /// Files and directories that garbage collection would remove. Objects are not counted when an
  /// image is damaged: it is unknown then which of them are needed.
  std::uint64_t garbage = 0;
  std::uint64_t garbage_bytes = 0;   ///< their size
  std::vector<std::string> foreign;  ///< paths below the store that are not part of it
  std::vector<StoreDamage> damaged;  ///< at most FsckOptions::max_damaged
  std::uint64_t omitted = 0;         ///< further damaged places

  bool ok() const { return damaged.empty(); }
};

struct FsckOptions {
  ListObjects list_objects;
  unsigned threads = 0;                 ///< 0: one for each processor
  std::uint64_t max_damaged = 100'000;  ///< places to list; what is more is only counted
};

/// Reads and hashes everything that names refer to and reports everything that is wrong, not only
/// the first place. Changes nothing and needs no write access. Pulls, mounts and removals of names
/// go on meanwhile; gc waits until the check has ended, or what is being read would seem to be
/// missing. An error is returned only if the check itself could not be done.
Result<FsckReport> check(Store& store, const FsckOptions& options);

/// What a collection removed, or would remove.
struct GcReport {
  std::uint64_t objects = 0;
  std::uint64_t images = 0;
  std::uint64_t trees = 0;
  std::uint64_t blobs = 0;
  std::uint64_t staging = 0;  ///< directories of transactions that died
  std::uint64_t leases = 0;   ///< of processes and kernel mounts that are gone
  std::uint64_t bytes = 0;    ///< sum of the sizes of the files
  std::uint64_t kept_objects = 0;
  std::uint64_t kept_images = 0;

  std::uint64_t removed() const { return objects + images + trees + blobs + staging + leases; }
};

/// Removes what no name and no living lease refers to, and what dead transactions left. If any
/// record, lease or image cannot be read and verified, nothing is removed and that is the error:
/// what it refers to is unknown. Waits for commits that are under way; locks others out meanwhile.
Result<GcReport> collect_garbage(Store& store, bool dry_run, const ListObjects& list_objects);

}  // namespace intact::store
