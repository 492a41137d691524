#include "store_places.h"

#include <algorithm>
#include <array>
#include <climits>
#include <deque>
#include <string_view>

#include <unistd.h>

namespace intact::image {
namespace {

constexpr unsigned kMaxLinks = 40;  // as the kernel

void put_before(std::deque<std::string>& rest, std::string_view path) {
  std::vector<std::string> names;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    if (slash != 0) names.emplace_back(path.substr(0, slash));
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  rest.insert(rest.begin(), names.begin(), names.end());
}

bool depends_on_process(const std::string& place) {
  return place.starts_with("/proc/") || place.starts_with("/dev/fd/");
}

}  // namespace

std::vector<std::string> link_places(const std::string& path) {
  std::vector<std::string> places;
  std::deque<std::string> rest;
  put_before(rest, path);
  std::string at;  // without links; empty: the root
  unsigned links = 0;
  while (!rest.empty()) {
    const std::string name = std::move(rest.front());
    rest.pop_front();
    if (name == ".") continue;
    if (name == "..") {
      if (!at.empty()) at.resize(at.rfind('/'));
      continue;
    }
    const std::string here = at + "/" + name;
    std::array<char, PATH_MAX> target;
    const ssize_t size = ::readlink(here.c_str(), target.data(), target.size());
    if (size <= 0) {
      at = here;
      continue;
    }
    std::string place = here;
    for (const std::string& following : rest) place += "/" + following;
    if (!depends_on_process(place)) places.push_back(std::move(place));
    if (++links > kMaxLinks) break;
    const std::string_view text(target.data(), static_cast<std::size_t>(size));
    if (text.front() == '/') at.clear();
    put_before(rest, text);
  }
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  return places;
}

}  // namespace intact::image
