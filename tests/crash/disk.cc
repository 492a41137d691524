#include "disk.h"

#include <algorithm>
#include <cerrno>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>

namespace intact::crash {
namespace {

constexpr std::uint64_t kMaxBytes = 1 << 28;

}  // namespace

Disk::Disk() {
  inodes_[kRoot] = {.is_directory = true, .mode = 0755};
}

Result<Disk> Disk::load(const std::string& path) {
  Disk disk;
  const UniqueFd fd = TRY(open_file(path, O_RDONLY | O_DIRECTORY));
  std::map<std::uint64_t, InodeId> known;
  TRY(disk.load_directory(fd.get(), kRoot, known).context(path));
  return disk;
}

Result<void> Disk::load_directory(int fd, InodeId id, std::map<std::uint64_t, InodeId>& known) {
  UniqueFd again = TRY(open_at(fd, ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(again.get()), ::closedir);
  if (!dir) return Error::from_errno("fdopendir", errno);
  (void)again.release();
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat st;
    if (::fstatat(fd, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
      return Error::from_errno(name, errno);
    const auto [at, is_new] = known.try_emplace(st.st_ino, next_);
    inodes_[id].entries[name] = at->second;
    if (!is_new) continue;
    ++next_;
    const InodeId child = at->second;
    inodes_[child] = {.is_directory = S_ISDIR(st.st_mode), .mode = st.st_mode & 07777};
    if (S_ISDIR(st.st_mode)) {
      const UniqueFd inner = TRY(open_at(fd, name, O_RDONLY | O_DIRECTORY));
      TRY(load_directory(inner.get(), child, known).context(name));
    } else if (S_ISREG(st.st_mode)) {
      inodes_[child].data = as_text(TRY(read_fd(TRY(open_regular_at(fd, name)).get(), kMaxBytes)));
    } else {
      return Error(ErrorKind::unsupported, name + " is neither file nor directory");
    }
  }
  return {};
}

Result<void> Disk::write_to(const std::string& path) const {
  // The directory itself stays: others may have it open or mounted.
  TRY(make_directories(path));
  const UniqueFd fd = TRY(open_file(path, O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
  if (!dir) return Error::from_errno(path, errno);
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") TRY(remove_tree(path + "/" + name));
  }
  std::map<InodeId, std::string> written;
  return write_directory(kRoot, path, written);
}

Result<void> Disk::write_directory(InodeId id, const std::string& path,
                                   std::map<InodeId, std::string>& written) const {
  for (const auto& [name, child] : inodes_.at(id).entries) {
    const std::string at = fmt::format("{}/{}", path, name);
    const Inode& inode = inodes_.at(child);
    if (inode.is_directory) {
      if (::mkdir(at.c_str(), inode.mode | S_IRWXU) != 0) return Error::from_errno(at, errno);
      TRY(write_directory(child, at, written));
    } else if (const auto [first, is_new] = written.try_emplace(child, at); is_new) {
      const UniqueFd fd = TRY(open_file(at, O_WRONLY | O_CREAT | O_EXCL, inode.mode));
      TRY(write_all(fd.get(), as_bytes(inode.data)).context(at));
    } else if (::link(first->second.c_str(), at.c_str()) != 0) {
      return Error::from_errno(at, errno);
    }
  }
  return {};
}

std::optional<InodeId> Disk::find(const std::string& path) const {
  InodeId id = kRoot;
  std::size_t start = 0;
  while (start < path.size()) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const auto& entries = inodes_.at(id).entries;
    const auto found = entries.find(path.substr(start, end - start));
    if (found == entries.end()) return std::nullopt;
    id = found->second;
    start = end + 1;
  }
  return id;
}

const Disk::Inode* Disk::inode(InodeId id) const {
  const auto found = inodes_.find(id);
  return found == inodes_.end() ? nullptr : &found->second;
}

void Disk::make_inode(const Operation& operation) {
  Inode& inode = inodes_[operation.inode];
  inode.is_directory = operation.is_directory;
  inode.mode = operation.mode;
  next_ = std::max(next_, operation.inode + 1);
}

void Disk::apply(const Operation& operation) {
  using Kind = Operation::Kind;
  Inode& inode = inodes_[operation.inode];
  auto& names = inodes_[operation.directory].entries;
  switch (operation.kind) {
    case Kind::create:
      make_inode(operation);
      names[operation.name] = operation.inode;
      break;
    case Kind::write:
      if (inode.data.size() < operation.offset + operation.data.size())
        inode.data.resize(operation.offset + operation.data.size());
      inode.data.replace(operation.offset, operation.data.size(), operation.data);
      break;
    case Kind::resize:
      inode.data.resize(operation.offset);
      break;
    case Kind::link:
      names[operation.name] = operation.inode;
      break;
    case Kind::remove:
      names.erase(operation.name);
      break;
    case Kind::rename:
      names.erase(operation.name);
      inodes_[operation.to_directory].entries[operation.to_name] = operation.inode;
      break;
    case Kind::sync_inode:
    case Kind::sync_all:
      break;
  }
}

std::string Disk::describe() const {
  std::string out;
  describe(kRoot, "", out);
  return out;
}

void Disk::describe(InodeId id, const std::string& path, std::string& out) const {
  for (const auto& [name, child] : inodes_.at(id).entries) {
    const Inode& inode = inodes_.at(child);
    const std::string at = fmt::format("{}/{}", path, name);
    out += fmt::format("{}{}\n", at,
                       inode.is_directory ? "/" : " " + std::to_string(inode.data.size()));
    if (inode.is_directory) {
      describe(child, at, out);
    } else {
      out += inode.data;
    }
  }
}

}  // namespace intact::crash
