#pragma once

#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/tree/attributes.h>

namespace intact::composefs {

/// The extended attributes of the file behind an O_PATH descriptor whose names begin with `prefix`.
/// Needs /proc. A file system without them has none.
Result<std::vector<tree::Xattr>> file_xattrs(int path_fd, std::string_view prefix);

}  // namespace intact::composefs
