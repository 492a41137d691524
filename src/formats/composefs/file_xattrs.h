#pragma once

#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/tree/attributes.h>

namespace intact::composefs {

/// The extended attributes of an open file whose names begin with `prefix`. For
/// descriptors of O_PATH this needs /proc and more time. A file system without them has none.
Result<std::vector<tree::Xattr>> file_xattrs(int fd, std::string_view prefix);

}  // namespace intact::composefs
