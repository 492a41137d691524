#pragma once

#include <string>
#include <vector>

#include <intact/base/result.h>

namespace intact {

/// The names in a directory, sorted, without "." and "..". A readdir(3) that fails is an error
/// here, so a directory that cannot be read is never taken for an empty one. `directory` is open
/// for reading and borrowed; its position does not change.
Result<std::vector<std::string>> list_names(int directory);

}  // namespace intact
