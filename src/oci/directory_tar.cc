#include <cerrno>
#include <map>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/oci/tree_tar.h>

#include "buffered_sink.h"
#include "tree_entry.h"

namespace intact::oci {
namespace {

/// Paths deeper than this are refused, as LayerLimits does.
constexpr std::size_t kMaxDepth = 1024;
constexpr std::string_view kSelinux = "security.selinux";

/// Calls an xattr function until the value fits; the value may grow in between.
template <typename Call>
Result<std::string> read_growing(const Call& call) {
  for (;;) {
    const ssize_t size = call(nullptr, 0);
    if (size < 0 && (errno == ENOTSUP || errno == ENODATA)) return std::string();
    if (size < 0) return Error::from_errno("extended attributes", errno);
    std::string value(static_cast<std::size_t>(size), '\0');
    if (value.empty()) return value;
    const ssize_t n = call(value.data(), value.size());
    if (n < 0 && errno == ERANGE) continue;
    if (n < 0) return Error::from_errno("extended attributes", errno);
    value.resize(static_cast<std::size_t>(n));
    return value;
  }
}

Result<std::vector<tree::Xattr>> read_xattrs(const std::string& path) {
  std::vector<tree::Xattr> xattrs;
  const std::string names = TRY(read_growing(
      [&](char* out, std::size_t size) { return ::llistxattr(path.c_str(), out, size); }));
  for (std::size_t begin = 0; begin < names.size();) {
    const std::string name = names.c_str() + begin;
    begin += name.size() + 1;
    if (name.empty() || name == kSelinux) continue;
    std::string value = TRY(read_growing([&](char* out, std::size_t size) {
      return ::lgetxattr(path.c_str(), name.c_str(), out, size);
    }));
    xattrs.push_back({name, std::move(value)});
  }
  return xattrs;
}

Result<std::string> read_link(int directory, const std::string& name, std::uint64_t size) {
  std::string target(static_cast<std::size_t>(size) + 1, '\0');
  const ssize_t n = ::readlinkat(directory, name.c_str(), target.data(), target.size());
  if (n < 0) return Error::from_errno("read link", errno);
  if (static_cast<std::size_t>(n) == target.size())
    return Error(ErrorKind::io, "changed while it was read");
  target.resize(static_cast<std::size_t>(n));
  return target;
}

/// Everything is reached by single names in open directories: somebody who can write to the tree
/// could replace a directory by a symbolic link while it is read.
class DirectoryWriter {
 public:
  DirectoryWriter(std::string directory, const DirectoryTarOptions& options, TarWriter& tar)
      : directory_(std::move(directory)), options_(options), tar_(tar) {}

  Result<void> write(UniqueFd root) {
    struct stat st;
    if (::fstat(root.get(), &st) != 0) return Error::from_errno(directory_, errno);
    device_ = st.st_dev;
    TRY(add(root.get(), ".", "/", st).context(directory_));
    std::vector<Level> levels;
    levels.push_back(TRY(enter(std::move(root), 0).context(directory_)));
    std::string path;
    while (!levels.empty()) {
      Level& level = levels.back();
      path.resize(level.path_length);
      if (level.next == level.names.size()) {
        levels.pop_back();
        continue;
      }
      const std::string& name = level.names[level.next++];
      path += "/" + name;
      TRY(check_layer_name(path, name));
      auto entered = visit(level.fd.get(), name, path);
      if (!entered) return std::move(entered).error().with_context(directory_ + path);
      if (!*entered) continue;
      if (levels.size() >= kMaxDepth)
        return Error(ErrorKind::limit,
                     directory_ + path + ": nested deeper than " + std::to_string(kMaxDepth));
      levels.push_back(std::move(**entered));
    }
    return {};
  }

 private:
  struct Level {
    UniqueFd fd;
    std::vector<std::string> names;
    std::size_t path_length;
    std::size_t next = 0;
  };

  static Result<Level> enter(UniqueFd fd, std::size_t path_length) {
    std::vector<std::string> names = TRY(list_names(fd.get()));
    return Level{.fd = std::move(fd), .names = std::move(names), .path_length = path_length};
  }

  /// Opens what was found before; an error if something else has taken its place.
  static Result<UniqueFd> open_found(int directory, const std::string& name, int flags,
                                     const struct stat& found) {
    UniqueFd fd = TRY(open_at(directory, name, flags | O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    struct stat opened;
    if (::fstat(fd.get(), &opened) != 0) return Error::from_errno("fstat", errno);
    if (opened.st_ino != found.st_ino || opened.st_dev != found.st_dev)
      return Error(ErrorKind::io, "changed while it was read");
    return fd;
  }

  /// Adds an entry of `directory`. Returns a directory that is to be entered.
  Result<std::optional<Level>> visit(int directory, const std::string& name,
                                     const std::string& path) {
    struct stat st;
    if (::fstatat(directory, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
      return Error::from_errno("stat", errno);
    if (S_ISSOCK(st.st_mode)) return std::optional<Level>();
    TRY(add(directory, name, path, st));
    if (!S_ISDIR(st.st_mode) || st.st_dev != device_) return std::optional<Level>();
    return std::optional(
        TRY(enter(TRY(open_found(directory, name, O_DIRECTORY, st)), path.size())));
  }

  Result<void> add(int directory, const std::string& name, const std::string& path,
                   const struct stat& st) {
    tree::Attributes attributes;
    attributes.mode = st.st_mode;
    attributes.uid = options_.owner ? options_.owner->uid : st.st_uid;
    attributes.gid = options_.owner ? options_.owner->gid : st.st_gid;
    attributes.rdev = static_cast<std::uint32_t>(st.st_rdev);
    attributes.size = static_cast<std::uint64_t>(st.st_size);
    attributes.mtime = {st.st_mtim.tv_sec, static_cast<std::uint32_t>(st.st_mtim.tv_nsec)};
    if (options_.clamp_mtime && attributes.mtime.seconds >= *options_.clamp_mtime)
      attributes.mtime = {*options_.clamp_mtime, 0};
    TarEntry entry = TRY(tar_entry_of(path, attributes));
    if (!S_ISDIR(st.st_mode) && st.st_nlink > 1) {
      const auto [first, is_first] =
          first_names_.emplace(std::pair(st.st_dev, st.st_ino), entry.path);
      if (!is_first) {
        entry.type = TarType::hard_link;
        entry.link = first->second;
        entry.size = 0;
        return tar_.add(entry);
      }
    }
    // Only paths have calls for attributes of what cannot be opened.
    entry.xattrs = TRY(read_xattrs("/proc/self/fd/" + std::to_string(directory) + "/" + name));
    if (S_ISLNK(st.st_mode))
      entry.link = TRY(read_link(directory, name, static_cast<std::uint64_t>(st.st_size)));
    if (!S_ISREG(st.st_mode)) return tar_.add(entry);
    FileStream stream(TRY(open_found(directory, name, 0, st)), 0, entry.size);
    TRY(tar_.add(entry));
    return write_stream(tar_, stream, entry.size);
  }

  std::string directory_;
  DirectoryTarOptions options_;
  TarWriter& tar_;
  dev_t device_ = 0;
  std::map<std::pair<dev_t, ino_t>, std::string> first_names_;
};

}  // namespace

Result<void> write_directory_tar(const std::string& directory, const DirectoryTarOptions& options,
                                 const ByteSink& sink) {
  UniqueFd root = TRY(open_file(directory, O_RDONLY | O_DIRECTORY));
  BufferedSink out(sink);
  TarWriter tar([&](ByteSpan bytes) { return out.write(bytes); });
  TRY(DirectoryWriter(directory, options, tar).write(std::move(root)));
  TRY(tar.finish());
  return out.flush();
}

}  // namespace intact::oci
