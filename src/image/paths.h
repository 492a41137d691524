#pragma once

#include <string>

namespace intact::image {

/// dirname(1) of a path without trailing slashes.
inline std::string parent_directory(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace intact::image
