#pragma once

// A directory of the host as a FileTree, for tests: nothing is verified.

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/tree/file_tree.h>

namespace intact::run::testing {

class DirectoryTree final : public tree::FileTree {
 public:
  explicit DirectoryTree(std::string root) { number(std::move(root)); }

  tree::NodeId root() const override { return tree::NodeId{0}; }

  Result<tree::Attributes> attributes(tree::NodeId node) const override {
    struct stat st;
    const std::string path = path_of(node);
    if (::lstat(path.c_str(), &st) != 0) return Error::from_errno(path, errno);
    tree::Attributes out;
    out.mode = st.st_mode;
    out.nlink = static_cast<std::uint32_t>(st.st_nlink);
    out.uid = real_id(st.st_uid);
    out.gid = real_id(st.st_gid);
    out.rdev = static_cast<std::uint32_t>(st.st_rdev);
    out.size = static_cast<std::uint64_t>(st.st_size);
    out.mtime = {st.st_mtim.tv_sec, static_cast<std::uint32_t>(st.st_mtim.tv_nsec)};
    return out;
  }

  Result<tree::NodeId> lookup(tree::NodeId directory, std::string_view name) const override {
    const std::string path = path_of(directory) + "/" + std::string(name);
    struct stat st;
    if (::lstat(path.c_str(), &st) != 0) return Error::from_errno(path, errno);
    return number(path);
  }

  Result<tree::NodeId> parent(tree::NodeId directory) const override {
    if (directory == root()) return root();
    const std::string path = path_of(directory);
    return number(path.substr(0, path.rfind('/')));
  }

  Result<void> list(
      tree::NodeId directory, std::uint64_t cookie,
      const std::function<bool(const tree::DirectoryEntry&, std::uint64_t)>& emit) const override {
    const std::string path = path_of(directory);
    std::vector<std::string> names;
    DIR* stream = ::opendir(path.c_str());
    if (!stream) return Error::from_errno(path, errno);
    while (const dirent* entry = ::readdir(stream))
      if (const std::string name = entry->d_name; name != "." && name != "..")
        names.push_back(name);
    ::closedir(stream);
    std::sort(names.begin(), names.end());
    for (std::size_t i = cookie; i < names.size(); ++i) {
      const tree::NodeId node = TRY(lookup(directory, names[i]));
      const std::uint32_t type = TRY(attributes(node)).type();
      if (!emit({names[i], node, type}, i + 1)) break;
    }
    return {};
  }

  Result<std::string> read_link(tree::NodeId symlink) const override {
    char target[4096];
    const std::string path = path_of(symlink);
    const ssize_t size = ::readlink(path.c_str(), target, sizeof target);
    if (size < 0) return Error::from_errno(path, errno);
    return std::string(target, static_cast<std::size_t>(size));
  }
  Result<std::vector<std::string>> list_xattrs(tree::NodeId) const override {
    return std::vector<std::string>();
  }
  Result<std::string> get_xattr(tree::NodeId, std::string_view) const override {
    return Error(ErrorKind::not_found, "no attribute");
  }
  Result<std::shared_ptr<tree::OpenFile>> open(tree::NodeId file) const override {
    return std::shared_ptr<tree::OpenFile>(
        std::make_shared<File>(TRY(open_file(path_of(file), O_RDONLY | O_NOFOLLOW))));
  }
  tree::Statistics statistics() const override { return {}; }

 private:
  class File final : public tree::OpenFile {
   public:
    explicit File(UniqueFd fd) : fd_(std::move(fd)) {}
    Result<std::size_t> read(std::uint64_t offset, MutableByteSpan out) override {
      return pread_up_to(fd_.get(), offset, out);
    }

   private:
    UniqueFd fd_;
  };

  /// The files are root's. In a user namespace without the host's root, stat(2) cannot say so and
  /// gives the overflow id, where the tree of an image knows.
  static std::uint32_t real_id(std::uint32_t id) { return id == 65534 ? 0 : id; }

  std::string path_of(tree::NodeId node) const {
    const std::lock_guard lock(mutex_);
    return paths_[static_cast<std::uint64_t>(node)];
  }
  tree::NodeId number(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    const auto [it, fresh] = numbers_.emplace(path, paths_.size());
    if (fresh) paths_.push_back(path);
    return tree::NodeId{it->second};
  }

  mutable std::mutex mutex_;
  mutable std::vector<std::string> paths_;
  mutable std::map<std::string, std::uint64_t> numbers_;
};

}  // namespace intact::run::testing
