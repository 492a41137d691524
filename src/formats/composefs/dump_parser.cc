#include <algorithm>
#include <cerrno>
#include <string>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include <intact/composefs/dump.h>
#include <intact/erofs/format.h>

#include "dump_line.h"
#include "format.h"

namespace intact::composefs {
namespace {

constexpr std::size_t kReadSize = 256 * 1024;
/// Far more than any line that could be accepted.
constexpr std::size_t kLineMax = 1024 * 1024;

Error malformed(std::string what) {
  return Error(ErrorKind::malformed, std::move(what));
}

/// Puts lines together into a tree.
class TreeBuilder {
 public:
  explicit TreeBuilder(bool strict) : strict_(strict) {}

  Result<void> add_line(std::string_view text) {
    ++line_number_;
    return add(text).context(fmt::format("line {}", line_number_));
  }

  Result<tree::Tree> finish() {
    if (!has_root_) return malformed("the dump is empty");
    TRY(resolve_links());
    return std::move(tree_);
  }

 private:
  struct Link {
    tree::Entry* entry;
    std::string target;
    std::size_t line;
    enum { waiting, visiting, done } state = waiting;
  };

  Result<void> add(std::string_view text) {
    DumpLine line = TRY(parse_dump_line(text, strict_));
    if (line.path.size() > kPathMax)
      return Error(ErrorKind::limit,
                   fmt::format("path of {} bytes, the maximum is {}", line.path.size(), kPathMax));
    if (line.path == "/") return add_root(std::move(line));
    if (!has_root_) return malformed("the first line must be the root directory '/'");
    const std::size_t slash = line.path.rfind('/');
    const std::string_view name = std::string_view(line.path).substr(slash + 1);
    tree::Inode* parent = TRY(find_parent(std::string_view(line.path).substr(0, slash)));
    if (name.empty()) return malformed(fmt::format("'{}' ends without a name", line.path));
    if (name == "." || name == "..")
      return malformed(fmt::format("'{}' ends with '{}'", line.path, name));
    if (name.size() > erofs::kNameMax)
      return Error(ErrorKind::limit, fmt::format("file name of {} bytes, the maximum is {}",
                                                 name.size(), erofs::kNameMax));
    auto [it, added] = parent->entries.try_emplace(std::string(name));
    if (!added) return malformed(fmt::format("'{}' is there already", line.path));
    tree::Entry& entry = it->second;
    entry.hard_link = line.hard_link;
    if (line.hard_link)
      links_.push_back({&entry, std::move(line.link_target), line_number_});
    else
      entry.inode = std::make_shared<tree::Inode>(std::move(line.inode));
    return {};
  }

  Result<void> add_root(DumpLine line) {
    if (has_root_) return malformed("a second root directory");
    if (!line.inode.attributes.is_directory()) return malformed("the root is not a directory");
    tree_.root() = std::move(line.inode);
    has_root_ = true;
    return {};
  }

  /// The directory of that path. Lines mostly stay in the directory of the line before or go on
  /// below it.
  Result<tree::Inode*> find_parent(std::string_view path) {
    tree::Inode* at = &tree_.root();
    std::string_view rest = path;
    if (last_parent_ && path.starts_with(last_parent_path_) &&
        (path.size() == last_parent_path_.size() || path[last_parent_path_.size()] == '/')) {
      at = last_parent_;
      rest.remove_prefix(last_parent_path_.size());
    }
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('/'), rest.size());
      const std::string_view name = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (name.empty()) continue;
      const auto it = at->entries.find(name);
      if (it == at->entries.end())
        return malformed(fmt::format("directory '{}' does not exist", path));
      if (!it->second.inode || !it->second.inode->attributes.is_directory())
        return malformed(fmt::format("'{}' is not a directory", path));
      at = it->second.inode.get();
    }
    last_parent_path_ = path;
    last_parent_ = at;
    return at;
  }

  Result<tree::Entry*> find_target(const Link& link) {
    tree::Inode* at = &tree_.root();
    tree::Entry* found = nullptr;
    for (std::string_view rest = link.target; !rest.empty();) {
      const std::size_t end = std::min(rest.find('/'), rest.size());
      const std::string_view name = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (name.empty()) continue;
      const auto it = at ? at->entries.find(name) : tree::Entries::iterator();
      if (!at || it == at->entries.end())
        return malformed(fmt::format("hard link to '{}', which does not exist", link.target));
      found = &it->second;
      at = found->inode.get();
    }
    if (!found || (found->inode && found->inode->attributes.is_directory()))
      return malformed(fmt::format("hard link to directory '{}'", link.target));
    return found;
  }

  /// Gives each link the inode of its target, which may be another link.
  Result<void> resolve_links() {
    std::unordered_map<const tree::Entry*, std::size_t> index;
    for (std::size_t i = 0; i < links_.size(); ++i) index.emplace(links_[i].entry, i);
    std::vector<std::size_t> chain;
    for (std::size_t i = 0; i < links_.size(); ++i) {
      tree::InodePtr inode;
      for (std::size_t at = i;;) {
        Link& link = links_[at];
        const auto where = [&] { return fmt::format("line {}", link.line); };
        if (link.state == Link::done) {
          inode = link.entry->inode;
          break;
        }
        if (link.state == Link::visiting) return malformed(where() + ": hard link to itself");
        link.state = Link::visiting;
        chain.push_back(at);
        tree::Entry* target = TRY(find_target(link).context(where()));
        if (!target->hard_link) {
          inode = target->inode;
          break;
        }
        at = index.at(target);
      }
      for (const std::size_t link : chain) {
        links_[link].entry->inode = inode;
        links_[link].state = Link::done;
      }
      chain.clear();
    }
    return {};
  }

  bool strict_;
  std::size_t line_number_ = 0;
  tree::Tree tree_;
  bool has_root_ = false;
  std::vector<Link> links_;
  std::string last_parent_path_;
  tree::Inode* last_parent_ = nullptr;
};

/// Feeds the whole lines at the front of `text` to the builder; returns what is left.
Result<std::string_view> add_lines(std::string_view text, TreeBuilder& builder) {
  for (;;) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return text;
    TRY(builder.add_line(text.substr(0, end)));
    text.remove_prefix(end + 1);
  }
}

/// A descriptor read as it comes.
class DescriptorStream final : public ByteStream {
 public:
  explicit DescriptorStream(int fd) : fd_(fd) {}
  Result<std::size_t> read(MutableByteSpan out) override {
    for (;;) {
      const ssize_t count = ::read(fd_, out.data(), out.size());
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR) return Error::from_errno("read", errno);
    }
  }

 private:
  int fd_;
};

}  // namespace

Result<tree::Tree> parse_dump(int fd, const DumpOptions& options) {
  DescriptorStream stream(fd);
  return parse_dump(stream, options);
}

Result<tree::Tree> parse_dump(ByteStream& input, const DumpOptions& options) {
  TreeBuilder builder(options.strict);
  std::string buffer;
  std::size_t used = 0;
  for (;;) {
    buffer.resize(used + kReadSize);
    const std::size_t count =
        TRY(input.read(std::as_writable_bytes(std::span(buffer).subspan(used))));
    if (count == 0) break;
    used += count;
    const std::string_view rest = TRY(add_lines(std::string_view(buffer).substr(0, used), builder));
    if (rest.size() > kLineMax) return Error(ErrorKind::limit, "a line is too long");
    used = rest.size();
    std::copy(rest.begin(), rest.end(), buffer.begin());
  }
  if (used > 0) {
    if (options.strict) return malformed("the last line does not end with a newline");
    TRY(builder.add_line(std::string_view(buffer).substr(0, used)));
  }
  return builder.finish();
}

}  // namespace intact::composefs
