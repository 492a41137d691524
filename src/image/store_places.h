#pragma once

#include <string>
#include <vector>

namespace intact::image {

/// The places of the symbolic links by which the kernel walks along an absolute path, each with
/// what follows the link in the path. Its own directory has neither links nor `..`, so however a
/// path is spelled that comes by a link, it has the link's place in common with every other
/// spelling. What depends on the process (/proc, /dev/fd) is left out. Sorted, each once; `path`
/// itself and the place where it ends are not among them unless they are such places.
std::vector<std::string> link_places(const std::string& path);

}  // namespace intact::image
