#include <algorithm>

#include <intact/image/remove.h>

#include "pull_memory.h"

namespace intact::image {

Result<std::optional<Error>> remove(store::Store& store, const std::string& name) {
  TRY(state_directory());  // before anything changes
  if (const auto removed = store.remove(name); !removed) {
    // The store has lost it, and the user says that this is right.
    const bool is_lost = removed.error().kind() == ErrorKind::not_found &&
                         std::ranges::binary_search(TRY(remembered_names(store)), name);
    if (!is_lost) return Error(removed.error());
  }
  auto forgotten = forget_pull(store, name);
  if (forgotten) return std::optional<Error>();
  return std::optional(std::move(forgotten).error());
}

}  // namespace intact::image
