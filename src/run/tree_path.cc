#include "tree_path.h"

#include <vector>

#include <intact/base/text.h>

namespace intact::run {
namespace {

constexpr std::size_t kMaxPath = 4096;  // PATH_MAX
constexpr unsigned kMaxSymlinks = 40;   // as the kernel

/// Components, last first, so that the next one is at the back.
void push_components(std::vector<std::string>& stack, std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::string_view part = take_until(path, '/');
    if (!part.empty() && part != ".") parts.emplace_back(part);
  }
  stack.insert(stack.end(), parts.rbegin(), parts.rend());
}

Error refuse(std::string_view path, std::string_view why) {
  return Error(ErrorKind::invalid_argument,
               "path \"" + std::string(path) + "\" of the container: " + std::string(why));
}

struct Step {
  std::string name;
  std::optional<tree::NodeId> node;
};

std::string join(const std::vector<Step>& steps) {
  std::string path;
  for (const auto& step : steps) path += "/" + step.name;
  return path.empty() ? "/" : path;
}

}  // namespace

Result<ResolvedPath> resolve(const tree::FileTree& tree, std::string_view path,
                             const std::set<std::string>& mounts) {
  if (path.size() > kMaxPath) return refuse(path.substr(0, 64), "too long");
  if (path.find('\0') != std::string_view::npos) return refuse("", "contains a NUL");
  std::vector<std::string> todo;
  push_components(todo, path);
  std::vector<Step> done;
  unsigned symlinks = 0;
  // From this number of components on, `done` is at or below a mount, where the tree says nothing.
  std::size_t mounted_from = SIZE_MAX;
  while (!todo.empty()) {
    const std::string name = std::move(todo.back());
    todo.pop_back();
    if (name == "..") {
      if (!done.empty() && !done.back().node && done.size() < mounted_from)
        return refuse(path, "\"..\" after a missing directory");
      if (!done.empty()) done.pop_back();
      if (done.size() < mounted_from) mounted_from = SIZE_MAX;
      continue;
    }
    if (name.size() > 255) return refuse(path.substr(0, 64), "a name is too long");
    const bool mounted = done.size() >= mounted_from;
    const std::optional<tree::NodeId> parent =
        done.empty() ? std::optional(tree.root()) : done.back().node;
    done.push_back({name, std::nullopt});
    if (mounted) continue;
    if (mounts.contains(join(done))) {
      mounted_from = done.size();
      continue;
    }
    if (!parent) continue;
    auto node = tree.lookup(*parent, name);
    if (!node) {
      if (node.error().kind() == ErrorKind::not_found) continue;
      return std::move(node).error();
    }
    const tree::Attributes attributes = TRY(tree.attributes(*node));
    if (attributes.is_symlink()) {
      if (++symlinks > kMaxSymlinks)
        return Error(ErrorKind::limit,
                     "path \"" + std::string(path) + "\" of the container: too many symlinks");
      const std::string target = TRY(tree.read_link(*node));
      if (target.size() > kMaxPath || target.find('\0') != std::string::npos || target.empty())
        return refuse(path, "leads through a symlink without a usable target");
      done.pop_back();
      if (target.front() == '/') done.clear();
      push_components(todo, target);
      if (todo.size() > kMaxPath) return refuse(path, "too long");
      continue;
    }
    if (!todo.empty() && !attributes.is_directory())
      return refuse(path, "\"" + join(done) + "\" is not a directory in the image");
    done.back().node = *node;
  }
  ResolvedPath out;
  out.path = join(done);
  if (out.path.size() > kMaxPath) return refuse(path.substr(0, 64), "too long");
  out.below_mount = done.size() >= mounted_from;
  out.node = done.empty() ? std::optional(tree.root()) : done.back().node;
  return out;
}

Result<std::string> read_text(const tree::FileTree& tree, std::string_view path,
                              std::uint64_t limit) {
  const ResolvedPath found = TRY(resolve(tree, path));
  const auto missing = [&] {
    return Error(ErrorKind::not_found, std::string(path) + ": no such file in the image");
  };
  if (!found.node) return missing();
  const tree::Attributes attributes = TRY(tree.attributes(*found.node));
  if (!attributes.is_regular()) return missing();
  if (attributes.size > limit)
    return Error(ErrorKind::limit, std::string(path) + " of the image has " +
                                       std::to_string(attributes.size) + " bytes, more than " +
                                       std::to_string(limit));
  std::string text(attributes.size, '\0');
  if (text.empty()) return text;
  const auto file = TRY(tree.open(*found.node));
  std::size_t have = 0;
  while (have < text.size()) {
    const std::size_t count =
        TRY(file->read(have, std::as_writable_bytes(std::span(text).subspan(have))));
    if (count == 0) break;
    have += count;
  }
  text.resize(have);
  return text;
}

}  // namespace intact::run
