#pragma once

#include <string>
#include <vector>

#include <intact/base/result.h>

namespace intact {

/// Names in a directory, sorted, without "." and "..". Whoever takes a failed readdir(3) for the
/// end takes a full directory for an empty one: here it is an error. `directory` is open for
/// reading and stays the caller's; its position is left alone.
Result<std::vector<std::string>> list_names(int directory);

}  // namespace intact
