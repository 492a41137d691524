#pragma once

#include <optional>
#include <string>

#include <intact/base/result.h>
#include <intact/store/store.h>

namespace intact::image {

/// Removes a name from the store, and what pulls remembered about it outside the store: another
/// image may be pulled under it. not_found if the store does not have it. The result is the error
/// that kept the memory from changing, if any; the name is removed nevertheless.
Result<std::optional<Error>> remove(store::Store& store, const std::string& name);

}  // namespace intact::image
