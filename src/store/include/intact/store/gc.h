#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/store/store.h>

namespace intact::store {

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
