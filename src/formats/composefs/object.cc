#include <algorithm>

#include <intact/composefs/read.h>
#include <intact/composefs/scan.h>

namespace intact::composefs {

std::string object_path(const Digest& digest) {
  std::string path = digest.hex();
  path.insert(2, 1, '/');
  return path;
}

bool is_legal_payload(std::string_view payload) {
  if (payload.empty() || payload.find('\0') != std::string_view::npos) return false;
  for (;;) {
    const std::size_t end = std::min(payload.find('/'), payload.size());
    const std::string_view part = payload.substr(0, end);
    if (part.empty() || part == "." || part == "..") return false;
    if (end == payload.size()) return true;
    payload.remove_prefix(end + 1);
  }
}

}  // namespace intact::composefs
