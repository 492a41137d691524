#include <intact/image/remove.h>

#include "pull_memory.h"

namespace intact::image {

Result<std::optional<Error>> remove(store::Store& store, const std::string& name) {
  TRY(state_directory());  // before anything changes
  TRY(store.remove(name));
  auto forgotten = forget_pull(store, name);
  if (forgotten) return std::optional<Error>();
  return std::optional(std::move(forgotten).error());
}

}  // namespace intact::image
