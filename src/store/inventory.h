#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/store/store.h>

namespace intact::store {

enum class ItemKind {
  object,
  image,
  tree,
  blob,
  name,  ///< a record
  lease,
  staging,    ///< the directory of a transaction
  temporary,  ///< left where a file was to be replaced
  foreign,    ///< not ours: never touched
};

/// A file or directory in the store.
struct Item {
  ItemKind kind;
  int directory;                 ///< that contains it: open during the visit
  std::string name;              ///< there
  std::string path;              ///< below the store's directory, for messages
  std::optional<Digest> digest;  ///< in its name: objects, images, trees, blobs, leases
};

/// Visits everything in the store except its fixed files. What comes and goes meanwhile may or may
/// not be visited. Stops at the first error and returns it. Directories that we may not read are
/// skipped.
Result<void> take_inventory(const Store& store,
                            const std::function<Result<void>(const Item&)>& visit);

/// Whether the process that made a lease or a staging directory is alive, or the mount for the
/// lease of a kernel mount. Also true when that is unknown.
Result<bool> is_alive(const Store& store, const Item& item);

/// What names and living leases refer to.
struct References {
  std::unordered_map<Digest, std::string> images;  ///< with their formats
  std::unordered_set<Digest> blobs;

  void add(const NamedImage& image);
};

/// Adds what the leases of living processes refer to.
Result<void> add_leases(const Store& store, References& references);

}  // namespace intact::store
