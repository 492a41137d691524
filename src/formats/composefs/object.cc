#include <intact/composefs/scan.h>

namespace intact::composefs {

std::string object_path(const Digest& digest) {
  std::string path = digest.hex();
  path.insert(2, 1, '/');
  return path;
}

}  // namespace intact::composefs
