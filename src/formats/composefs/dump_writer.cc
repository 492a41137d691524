#include <unordered_map>

#include <fmt/format.h>

#include <intact/composefs/dump.h>

namespace intact::composefs {
namespace {

constexpr std::size_t kFlushSize = 1 << 16;

void append_optional(std::string& out, std::string_view text) {
  if (text.empty())
    out += '-';
  else
    append_escaped(out, text, Escape::lone_dash);
}

void append_line(std::string& out, std::string_view path, const tree::Inode& inode,
                 const std::string* link_target) {
  const tree::Attributes& a = inode.attributes;
  append_escaped(out, path, Escape::standard);
  fmt::format_to(std::back_inserter(out), " {} {}{:o} {} {} {} {} {}.{} ", a.size,
                 link_target ? "@" : "", a.mode, a.nlink, a.uid, a.gid, a.rdev, a.mtime.seconds,
                 a.mtime.nanoseconds);
  append_optional(out, link_target ? *link_target : inode.payload);
  out += ' ';
  append_optional(out, inode.content);
  out += ' ';
  out += inode.digest ? inode.digest->hex() : "-";
  for (const tree::Xattr& xattr : inode.xattrs) {
    out += ' ';
    append_escaped(out, xattr.name, Escape::equal_sign);
    out += '=';
    append_escaped(out, xattr.value, Escape::equal_sign);
  }
  out += '\n';
}

/// The primary name of every file that has others.
Result<std::unordered_map<const tree::Inode*, std::string>> find_link_targets(
    const tree::Tree& tree) {
  std::unordered_map<const tree::Inode*, std::string> targets;
  TRY(tree.walk([&](const std::string&, const tree::Entry& entry) -> Result<void> {
    if (entry.hard_link) targets.try_emplace(entry.inode.get());
    return {};
  }));
  if (targets.empty()) return targets;
  TRY(tree.walk([&](const std::string& path, const tree::Entry& entry) -> Result<void> {
    if (entry.hard_link) return {};
    if (const auto it = targets.find(entry.inode.get()); it != targets.end()) it->second = path;
    return {};
  }));
  return targets;
}

}  // namespace

Result<void> write_dump(const tree::Tree& tree,
                        const std::function<Result<void>(std::string_view)>& sink) {
  const auto targets = TRY(find_link_targets(tree));
  std::string out;
  TRY(tree.walk([&](const std::string& path, const tree::Entry& entry) -> Result<void> {
    const std::string* target = entry.hard_link ? &targets.at(entry.inode.get()) : nullptr;
    if (target && target->empty())
      return Error(ErrorKind::invalid_argument,
                   fmt::format("{}: hard link to a file outside the tree", path));
    append_line(out, path, *entry.inode, target);
    if (out.size() < kFlushSize) return {};
    TRY(sink(out));
    out.clear();
    return {};
  }));
  if (!out.empty()) TRY(sink(out));
  return {};
}

}  // namespace intact::composefs
